// One chat: a line of it a row, the budget in the margin, a span for each piece of a token.

/** Elements of all lines, and the spans of each token. */
function chatLines(row, chat) {
  const spans = Array.from(chat.token_id, () => []);
  const lines = [];
  let piece = 0;
  chat.line_pieces.forEach((count, line) => {
    const said = make("p", { class: "said", dir: "ltr" });
    for (const end = piece + count; piece < end; piece++) {
      const span = pieceSpan(row, chat, piece);
      spans[chat.piece_token[piece]].push(span);
      said.append(span);
    }
    const margin = marginOf(chat, line);
    const ends = chat.line_turn[line] !== chat.line_turn[line + 1];
    lines.push(make("div", { class: "line" }, ...margin, said, ...(ends ? endOf(chat, chat.line_turn[line]) : [])));
  });
  return { lines, spans };
}

const SIGNS = new Set(["\u23ce", "\u25cc"]);

function pieceSpan(row, chat, piece) {
  const token = chat.piece_token[piece];
  const text = chat.pieceText[piece];
  const span = make("span", { class: "token", tabindex: "-1", "data-token": token, text });
  if (chat.piece_header[piece]) span.classList.add("header");
  if (token < row.opening_tokens) span.classList.add("opening");
  if (SIGNS.has(text)) span.classList.add("sign");
  return span;
}

/** Nats left before the agent's turn and nats spent in it; empty where none begins. */
function marginOf(chat, line) {
  const first = chat.line_sampled[line];
  if (first < 0) return [make("span", { class: "left" }), make("span", { class: "spent" })];
  const spent = turnKL(chat, chat.turn[first]);
  return [
    make("span", { class: "left", text: number(chat.budget_left[first]) }),
    make("span", { class: spent >= 1 ? "spent dear" : "spent", text: number(spent) }),
  ];
}

function turnKL(chat, turn) {
  return chat.kl.subarray(chat.turn_start[turn], chat.turn_end[turn]).reduce((sum, kl) => sum + kl, 0);
}

/** Reward and verdict of a turn, after its last line. */
function endOf(chat, turn) {
  const found = [];
  const reward = chat.turn_reward[turn];
  if (reward !== undefined && !Number.isNaN(reward)) {
    found.push(make("span", { class: "reward", text: `${reward < 0 ? "" : "+"}${number(reward)}` }));
  }
  const verdict = page.texts[chat.turn_verdict[turn]];
  if (verdict && verdict !== "possible") {
    found.push(make("span", { class: "verdict", text: `\u2717 ${verdict}`, title: "The trusted teacher could not have said this" }));
  }
  return found.length ? [make("span", { class: "end" }, ...found)] : [];
}
