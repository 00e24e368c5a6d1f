// One episode on the page: its facts, its curve, its chat. Two panes stand side by side.

class Pane {
  constructor(set, host) {
    this.set = set;
    this.facts = make("header", { class: "facts" });
    this.curveRoot = make("div", { class: "budget" });
    this.body = make("div", { class: "chat" });
    this.root = make("section", { class: "pane" }, make("div", { class: "top" }, this.facts, this.curveRoot), this.body);
    this.curve = new Curve(this.curveRoot, (token) => host.focusToken(this, token));
    const at = (event) => event.target.closest?.(".token")?.dataset.token;
    this.body.addEventListener("mouseover", (event) => at(event) !== undefined && host.preview(this, Number(at(event))));
    this.body.addEventListener("mouseleave", () => host.preview());
    this.body.addEventListener("focusin", (event) => at(event) !== undefined && host.pin(this, Number(at(event))));
    this.body.addEventListener("click", (event) => at(event) !== undefined && host.focusToken(this, Number(at(event))));
  }

  show(row, chat, map, theme) {
    Object.assign(this, { row, chat, current: undefined });
    this.root.setAttribute("aria-label", `${row.set.name}, episode ${row.episode}`);
    this.facts.replaceChildren(...paneFacts(row, chat));
    const { lines, spans } = chatLines(row, chat);
    this.spans = spans;
    const head = make("div", { class: "line head", "aria-hidden": "true" },
      make("span", { class: "left", text: "left" }), make("span", { class: "spent", text: "KL" }));
    this.body.classList.toggle("free", row.budget === 0 && row.kl === 0);
    this.body.replaceChildren(head, ...lines);
    if (!lines.length) this.body.append(make("p", { class: "none", text: "This episode has no tokens." }));
    this.root.scrollTop = 0;
    this.curve.marked = undefined;
    this.entry = Math.min(row.opening_tokens, row.length - 1);
    spans[this.entry]?.[0].setAttribute("tabindex", "0");
    this.recolour(map, theme);
  }

  /** Say why there is nothing to show. */
  clear(reason) {
    Object.assign(this, { row: undefined, chat: undefined, spans: [], current: undefined });
    this.curve.row = undefined;
    this.root.setAttribute("aria-label", reason);
    this.facts.replaceChildren();
    this.curveRoot.replaceChildren();
    this.body.replaceChildren(make("p", { class: "none", text: reason }));
  }

  recolour(map, theme) {
    if (!this.row) return;
    this.spans.forEach((pieces, token) => {
      const found = colours(map, shownNats(map, this.chat, token), theme);
      for (const span of pieces) paint(span, found);
    });
    this.curve.show(this.row, this.chat, map, theme);
  }

  /** Make a token the one that Tab and the arrows start from. */
  setCurrent(token) {
    for (const span of this.body.querySelectorAll('.token[tabindex="0"]')) span.setAttribute("tabindex", "-1");
    for (const span of this.body.querySelectorAll(".current")) span.classList.remove("current");
    this.current = token;
    this.spans[token].forEach((span) => span.classList.add("current"));
    this.spans[token][0].setAttribute("tabindex", "0");
  }

  /** Tokens by what the map shows, the largest first. */
  largest(map) {
    const size = (token) => Math.abs(shownNats(map, this.chat, token)) || 0;
    const tokens = Array.from(this.chat.kl, (_, token) => token);
    return tokens.filter((token) => size(token) >= UNCOLOURED).sort((a, b) => size(b) - size(a));
  }
}

function paneFacts(row, chat) {
  const sum = chat.kl.reduce((total, kl) => total + kl, 0);
  const facts = [
    ["KL spent", `${number(sum, 3)} of ${plain(row.budget)} nats`, { "data-fact": "kl", title: String(sum) }],
    ["log-ratio", `${number(row.log_ratio)} nats`, {}],
    ["reward", `${number(row.reward)}, ${row.replies} replies`, {}],
    ["agent's turns", row.turns ? `${row.empty} of ${row.turns} empty` : NONE, {}],
    ["silent", row.silent ? `from token ${row.silent_from}` : "no", {}],
  ];
  if (row.judged) facts.push(["impossible", `${row.impossible} of ${row.judged} turns`, {}]);
  const title = make("h2", {}, make("bdi", { text: row.set.name }), `, episode ${row.episode}`);
  const about = make("p", { class: "about" }, make("bdi", { text: row.policy }),
    `, ${updateName(row.update)}, ${row.accounting} accounting, ${row.length} tokens (${row.opening_tokens} opening), seed ${row.seed}, run `,
    make("bdi", { text: row.run_id }), ", base ", make("bdi", { text: row.base_fingerprint.slice(0, 12) }));
  const terms = facts.map(([term, text, attributes]) =>
    make("div", {}, make("dt", { text: term }), make("dd", { ...attributes, text })));
  return [title, about, make("dl", {}, ...terms)];
}
