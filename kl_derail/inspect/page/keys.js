// The keyboard: what each key does, and the sheet that says so.

const KEYS = [
  { keys: ["j", "ArrowDown"], shown: "j  \u2193", about: "next episode", act: (host) => host.step(1) },
  { keys: ["k", "ArrowUp"], shown: "k  \u2191", about: "episode before", act: (host) => host.step(-1) },
  { keys: ["Home"], shown: "Home", about: "first episode", act: (host) => host.step(-Infinity) },
  { keys: ["End"], shown: "End", about: "last episode", act: (host) => host.step(Infinity) },
  { keys: ["ArrowRight"], shown: "\u2192", about: "next token", act: (host) => host.stepToken(1) },
  { keys: ["ArrowLeft"], shown: "\u2190", about: "token before", act: (host) => host.stepToken(-1) },
  { keys: ["d"], shown: "d", about: "the token with the most nats on the map, then the next", act: (host) => host.nextLargest(1) },
  { keys: ["D"], shown: "D", about: "back to the one before", act: (host) => host.nextLargest(-1) },
  ...MAPS.map((map, index) => ({
    keys: [String(index + 1)], shown: String(index + 1), about: `map: ${map.label}`, act: (host) => host.setMap(map),
  })),
  { keys: ["c"], shown: "c", about: "one set, the other, side by side", act: (host) => host.nextView() },
  { keys: ["o"], shown: "o", about: "to the other side", act: (host) => host.otherPane() },
  { keys: ["/"], shown: "/", about: "search", act: (host) => host.search.focus() },
  { keys: ["t"], shown: "t", about: "light, dark, as the system", act: (host) => host.nextTheme() },
  { keys: ["?"], shown: "?", about: "this sheet", act: (host) => host.help() },
  { keys: ["Escape"], shown: "Esc", about: "leave the search or this sheet", act: () => {} },
];

const SIGNS_EXPLAINED = [
  ["left", "nats left before the agent's turn"],
  ["KL", "exact KL spent in that turn"],
  ["+0.52", "reward of the reply"],
  ["\u2717", "a turn that the trusted teacher could never have produced, and why"],
  ["\u23ce \u25cc", "a line break; a token without text"],
  ["\\u202e", "a character that a browser would obey, written out"],
  ["pale", "the opening, which nobody sampled"],
];

function listenToKeys(host) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = event.target.closest?.("input, select");
    if (field) {
      if (event.key === "Escape" || (event.key === "Enter" && field.type === "search")) host.leaveField();
      return;
    }
    const found = KEYS.find((each) => each.keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.act(host);
  });
}

function helpSheet(dialog) {
  const list = (pairs) => make("dl", {}, ...pairs.flatMap(([term, about]) =>
    [make("dt", {}, make("kbd", { text: term })), make("dd", { text: about })]));
  const close = make("button", { type: "button", text: "Close", autofocus: "" });
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    make("h2", { text: "Keys" }), list(KEYS.map(({ shown, about }) => [shown, about])),
    make("h2", { text: "Signs" }), list(SIGNS_EXPLAINED), close);
}
