// Everything about one token.

const NUMBERS = [
  ["exact KL", "kl", nats, "nats"],
  ["log-ratio", "log_ratio", nats, "nats"],
  ["k3 estimate", "kl_k3", nats, "nats"],
  ["base probability", "base_log_prob", probability, ""],
  ["policy probability", "policy_log_prob", probability, ""],
  ["base entropy", "base_entropy", nats, "nats"],
  ["budget left before", "budget_left", nats, "nats"],
  ["KL asked for", "kl_target", nats, "nats"],
  ["fraction asked for", "fraction", (value) => number(value, 4), ""],
  ["weight \u03b1 of the proposal", "alpha", (value) => number(value, 4), ""],
  ["critic's value", "value", number, ""],
  ["reward here", "reward", number, ""],
];

/** Contents of the inspector for a token. */
function tokenDetails(row, chat, token) {
  const turn = chat.turn[token];
  const speaker = chat.speaker[token] < 0 ? "nobody" : row.speakers[chat.speaker[token]];
  const place = token < row.opening_tokens ? "opening" : `turn ${turn}`;
  return [
    make("p", { class: "glyph", dir: "ltr" }, make("span", { class: "token", text: chat.tokenText[token] })),
    make("p", { class: "place", text: `token ${token} of ${row.length}, id ${chat.token_id[token]}` }),
    make("p", { class: "place" }, make("bdi", { text: speaker }), `, ${place}`),
    numbersTable(chat, token),
    ...candidates(row, chat, token),
  ];
}

function numbersTable(chat, token) {
  const rows = NUMBERS.map(([label, column, word, unit]) => {
    const value = chat[column][token];
    const exact = Number.isNaN(value) ? {} : { title: String(value) };
    return make("tr", {}, make("th", { scope: "row", text: label }),
      make("td", { ...exact, text: word(value), "data-column": column }), make("td", { class: "unit", text: unit }));
  });
  return make("table", { class: "numbers" }, make("tbody", {}, ...rows));
}

/** The recorded top candidates of base and policy, one table. */
function candidates(row, chat, token) {
  const tables = ["base", "policy"].flatMap((source) => {
    const offsets = chat[`top_${source}_offsets`];
    const [from, to] = [offsets[token], offsets[token + 1]];
    if (!(to > from)) return [];
    const rows = Array.from({ length: to - from }, (_, rank) =>
      candidateRow(row, chat[`top_${source}_ids`][from + rank], chat[`top_${source}_log_probs`][from + rank], chat.token_id[token]));
    const caption = make("caption", { text: `${source === "base" ? "Base" : "Policy"}, likeliest` });
    return [make("table", { class: `candidates ${source}` }, caption, make("tbody", {}, ...rows))];
  });
  return tables.length ? tables : [make("p", { class: "none", text: "No candidates were recorded here." })];
}

function candidateRow(row, id, logProb, sampled) {
  const text = candidateText(row, id);
  const bar = make("span", { class: "bar" });
  bar.style.width = `${100 * Math.min(Math.exp(logProb), 1)}%`;
  const name = text === undefined ? `id ${id}` : text;
  return make("tr", { class: id === sampled ? "sampled" : "" },
    make("td", { class: text === undefined ? "id" : "text", dir: "ltr", title: `id ${id}`, text: name }),
    make("td", { class: "share" }, bar), make("td", { text: probability(logProb) }));
}

/** One sentence about a token, for those who listen. */
function tokenSentence(chat, token) {
  return `token ${token}, ${chat.tokenText[token]}: KL ${nats(chat.kl[token])} nats, `
    + `base probability ${probability(chat.base_log_prob[token])}, policy ${probability(chat.policy_log_prob[token])}`;
}
