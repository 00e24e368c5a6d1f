// The list of episodes: only the entries in sight are elements.

const ROW_HEIGHT = 58;
const SPARE_ROWS = 6;

class List {
  constructor(root, rowsRoot, choose) {
    Object.assign(this, { root, rowsRoot, choose, rows: [], shown: new Map(), theme: "light" });
    root.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(root);
  }

  set(rows) {
    this.rows = rows;
    this.rowsRoot.style.height = `${rows.length * ROW_HEIGHT}px`;
    this.redraw();
  }

  /** Mark one entry and bring it into sight. */
  select(row) {
    this.selected = row;
    const place = this.rows.indexOf(row);
    if (place >= 0) {
      const top = place * ROW_HEIGHT;
      const { scrollTop, clientHeight } = this.root;
      if (top < scrollTop) this.root.scrollTop = top;
      if (top + ROW_HEIGHT > scrollTop + clientHeight) this.root.scrollTop = top + ROW_HEIGHT - clientHeight;
    }
    this.redraw();
  }

  redraw() {
    this.rowsRoot.replaceChildren();
    this.shown.clear();
    this.draw();
  }

  draw() {
    const { scrollTop, clientHeight } = this.root;
    const first = Math.max(Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS, 0);
    const end = Math.min(Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + SPARE_ROWS, this.rows.length);
    for (const [place, element] of this.shown) {
      if (place < first || place >= end) {
        element.remove();
        this.shown.delete(place);
      }
    }
    const added = [];
    for (let place = first; place < end; place++) {
      if (!this.shown.has(place)) {
        const element = this.entry(this.rows[place], place);
        this.shown.set(place, element);
        added.push(element);
      }
    }
    this.rowsRoot.append(...added);
    const active = this.shown.get(this.rows.indexOf(this.selected));
    if (active) this.root.setAttribute("aria-activedescendant", active.id);
    else this.root.removeAttribute("aria-activedescendant");
  }

  entry(row, place) {
    const strip = make("span", { class: "strip" });
    strip.style.backgroundImage = stripBackground(row.strip, this.theme);
    const element = make(
      "div",
      {
        id: `entry-${place}`, class: "entry", role: "option", "data-index": row.index,
        "aria-selected": String(row === this.selected),
        "aria-posinset": place + 1, "aria-setsize": this.rows.length,
      },
      make("span", { class: "name", text: `#${row.episode}` }),
      make("span", { class: "who", text: [row.policy, row.update < 0 ? "" : updateName(row.update)].filter(Boolean).join(", ") }),
      make("span", { class: "kl", text: `${number(row.kl)} nats` }),
      strip,
      make("span", { class: "facts", text: entryFacts(row) }),
    );
    element.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    element.addEventListener("click", () => this.choose(row));
    return element;
  }
}

function entryFacts(row) {
  const facts = [`reward ${number(row.reward)}`];
  if (row.turns) facts.push(`${row.empty} of ${row.turns} turns empty`);
  if (row.silent) facts.push("silent");
  return facts.join(" \u00b7 ");
}
