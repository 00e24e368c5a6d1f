// The budget over the tokens of an episode, and where it went.

const CURVE = { height: 92, left: 34, right: 8, top: 8, bars: 12 };

/** Budget left before each of the agent's tokens, and at the end; or nats spent, where nothing limits them. */
function curvePoints(row, chat) {
  const limited = row.budget > 0 && Number.isFinite(row.budget);
  const points = [];
  let spent = 0;
  chat.kl.forEach((kl, token) => {
    const left = chat.budget_left[token];
    if (!limited) points.push([token, spent]);
    else if (Number.isFinite(left)) points.push([token, left]);
    spent += kl;
  });
  const last = points.length ? points[points.length - 1] : [0, 0];
  const end = limited && points.length ? Math.max(last[1] - chat[row.accounting === "realised" ? "log_ratio" : "kl"][last[0]], 0) : spent;
  points.push([chat.kl.length, end]);
  return { limited, points };
}

class Curve {
  constructor(root, choose) {
    this.root = root;
    root.addEventListener("click", (event) => {
      if (!this.row) return;
      const x = event.clientX - root.getBoundingClientRect().left;
      const token = Math.floor(((x - CURVE.left) / this.wide) * this.row.length);
      choose(Math.min(Math.max(token, 0), this.row.length - 1));
    });
    new ResizeObserver(() => this.row && this.draw()).observe(root);
  }

  show(row, chat, map, theme) {
    Object.assign(this, { row, chat, map, theme });
    this.draw();
  }

  draw() {
    const { row, chat } = this;
    const { limited, points } = curvePoints(row, chat);
    const width = Math.max(this.root.clientWidth, 120);
    this.wide = width - CURVE.left - CURVE.right;
    this.high = CURVE.height - CURVE.top - CURVE.bars - 4;
    this.tallest = Math.max(limited ? row.budget : 0, ...points.map((each) => each[1])) || 1;
    const label = `${limited ? "budget left" : "KL spent"}, nats`;
    const end = points[points.length - 1][1];
    const svg = makeSVG("svg", {
      width, height: CURVE.height, role: "img",
      "aria-label": `${label}: ${number(points[0][1])} at first, ${number(end)} at the end`,
    });
    svg.append(...this.areas(), ...this.axis(), ...this.bars());
    svg.append(makeSVG("path", { class: "curve", d: this.path(points) }));
    svg.append(makeSVG("text", { class: "title", x: width - CURVE.right, y: CURVE.top + 8, "text-anchor": "end" }, label));
    this.cursor = makeSVG("line", { class: "cursor", y1: CURVE.top, y2: CURVE.height, visibility: "hidden" });
    svg.append(this.cursor);
    this.root.replaceChildren(svg);
    if (this.marked !== undefined) this.mark(this.marked);
  }

  x(token) {
    return CURVE.left + (this.wide * token) / Math.max(this.row.length, 1);
  }

  y(amount) {
    return CURVE.top + this.high * (1 - amount / this.tallest);
  }

  path(points) {
    const steps = points.map(([token, amount], index) => {
      const [x, y] = [this.x(token).toFixed(1), this.y(amount).toFixed(1)];
      return index ? `H${x}V${y}` : `M${x} ${y}`;
    });
    return steps.join("");
  }

  areas() {
    const area = (kind, from, to) => makeSVG("rect", {
      class: kind, x: this.x(from), y: CURVE.top, width: Math.max(this.x(to) - this.x(from), 0), height: this.high,
    });
    const found = [area("opening", 0, this.row.opening_tokens)];
    if (this.row.silent) found.push(area("silence", this.row.silent_from, this.row.length));
    return found;
  }

  axis() {
    return [0, 0.5, 1].flatMap((share) => {
      const amount = share * this.tallest;
      const y = this.y(amount);
      const digits = this.tallest < 2 ? 2 : this.tallest % 2 ? 1 : 0;
      return [
        makeSVG("line", { class: "grid", x1: CURVE.left, x2: CURVE.left + this.wide, y1: y, y2: y }),
        makeSVG("text", { class: "tick", x: CURVE.left - 5, y: y + 3.5, "text-anchor": "end" }, number(amount, digits)),
      ];
    });
  }

  /** A mark for each coloured token, below the curve. */
  bars() {
    const wide = Math.max(this.wide / Math.max(this.row.length, 1), 1);
    return Array.from(this.chat.kl, (_, token) => token).flatMap((token) => {
      const found = colours(this.map, shownNats(this.map, this.chat, token), this.theme);
      if (!found) return [];
      const bar = makeSVG("rect", { x: this.x(token), y: CURVE.height - CURVE.bars, width: wide, height: CURVE.bars });
      bar.style.fill = found[0];
      return [bar];
    });
  }

  mark(token) {
    this.marked = token;
    if (!this.cursor) return;
    this.cursor.setAttribute("visibility", token === undefined ? "hidden" : "visible");
    if (token === undefined) return;
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(token + 0.5));
  }
}
