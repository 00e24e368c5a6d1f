// The page as a whole: what is chosen, and what follows from it.

const byId = (id) => document.getElementById(id);
const DARK = matchMedia("(prefers-color-scheme: dark)");
const THEMES = ["system", "light", "dark"];
const SEARCH_DELAY = 120;

class Viewer {
  constructor(sets) {
    this.sets = sets;
    this.views = sets.length > 1 ? ["both", 0, 1] : [0];
    Object.assign(this, { view: this.views[0], map: MAPS[0], theme: "system", chosen: {}, largestRank: -1 });
    this.search = byId("search");
    this.list = new List(byId("list"), byId("rows"), (row) => this.select(row));
    this.panes = sets.map((set) => new Pane(set, this));
    this.active = this.panes[0];
    this.sort = SORTS[0];
    this.rising = true;
    helpSheet(byId("help"));
    this.drawSorts();
    this.drawMaps();
    this.wire();
    listenToKeys(this);
  }

  wire() {
    let waiting;
    this.search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.relist(), SEARCH_DELAY);
    });
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("sort").addEventListener("change", (event) => {
      this.sort = SORTS[event.target.selectedIndex];
      this.rising = Boolean(this.sort.rising);
      this.relist();
    });
    byId("direction").addEventListener("click", () => {
      this.rising = !this.rising;
      this.relist();
    });
    byId("theme").addEventListener("click", () => this.nextTheme());
    byId("help-button").addEventListener("click", () => this.help());
    DARK.addEventListener("change", () => this.recolour());
  }

  /** The set that the list shows. */
  get listed() {
    return this.sets[this.view === "both" ? 0 : this.view];
  }

  get shownPanes() {
    return this.view === "both" ? this.panes : [this.panes[this.view]];
  }

  get shownTheme() {
    return this.theme === "system" ? (DARK.matches ? "dark" : "light") : this.theme;
  }

  async setView(view) {
    const before = this.row;
    this.view = view;
    this.chosen = {};
    this.active = this.shownPanes[0];
    byId("panes").replaceChildren(...this.shownPanes.map((pane) => pane.root));
    this.drawViews();
    this.drawFilters();
    this.row = before && (before.set === this.listed ? before : this.listed.partner(before));
    await this.relist();
  }

  nextView() {
    if (this.views.length > 1) this.setView(this.views[(this.views.indexOf(this.view) + 1) % this.views.length]);
  }

  async relist() {
    const found = matching(filtered(this.listed.rows, this.chosen), this.search.value);
    this.rows = sorted(found, this.sort, this.rising);
    byId("direction").textContent = this.rising ? "\u2191" : "\u2193";
    byId("count").textContent = `${this.rows.length} of ${this.listed.rows.length} episodes`;
    this.list.theme = this.shownTheme;
    this.list.set(this.rows);
    await this.select(this.rows.includes(this.row) ? this.row : this.rows[0]);
  }

  /** Show an episode, and beside it the other set's where both are shown. */
  async select(row) {
    this.row = row;
    this.list.select(row);
    const { view } = this;
    const shown = this.shownPanes.map((pane) => row && (pane.set === row.set ? row : pane.set.partner(row)));
    const chats = await Promise.all(shown.map((each) => each?.set.chat(each.index)));
    if (row !== this.row || view !== this.view) return;
    this.shownPanes.forEach((pane, place) => {
      if (shown[place]) pane.show(shown[place], chats[place], this.map, this.shownTheme);
      else pane.clear(whyNothing(row, pane.set));
    });
    this.largestRank = -1;
    this.pinned = undefined;
    this.preview();
  }

  step(by) {
    if (!this.rows.length) return;
    const place = this.rows.indexOf(this.row) + by;
    this.select(this.rows[Math.min(Math.max(place, 0), this.rows.length - 1)]);
  }

  stepToken(by) {
    const { active } = this;
    if (!active.row?.length) return;
    const token = active.current === undefined ? active.entry : active.current + by;
    this.focusToken(active, Math.min(Math.max(token, 0), active.row.length - 1));
  }

  nextLargest(by) {
    const tokens = this.active.row ? this.active.largest(this.map) : [];
    if (!tokens.length) return;
    this.largestRank = (Math.max(this.largestRank + by, 0)) % tokens.length;
    this.focusToken(this.active, tokens[this.largestRank]);
  }

  otherPane() {
    if (this.view !== "both") return;
    const other = this.panes.find((pane) => pane !== this.active);
    if (other.row?.length) this.focusToken(other, other.current ?? other.entry);
  }

  /** Focus a token; `pin` follows. */
  focusToken(pane, token) {
    const span = pane.spans[token]?.[0];
    if (!span) return;
    span.focus({ preventScroll: true });
    span.scrollIntoView({ block: "nearest" });
    this.pin(pane, token);
  }

  /** Keep a token in the inspector. */
  pin(pane, token) {
    if (this.pinned?.pane === pane && this.pinned.token === token) return;
    this.active = pane;
    this.pinned = { pane, token };
    pane.setCurrent(token);
    byId("live").textContent = tokenSentence(pane.chat, token);
    this.preview();
  }

  /** Show a token in the inspector; without one, the pinned one again. */
  preview(pane = this.pinned?.pane, token = this.pinned?.token) {
    for (const each of this.panes) each.curve.mark(each === pane && each.row ? token : undefined);
    const details = pane?.row ? tokenDetails(pane.row, pane.chat, token) : [make("p", { class: "none", text: "Point at a token, or walk with \u2190 and \u2192, to see its numbers. d jumps to the dearest one." })];
    byId("inspector").replaceChildren(...details);
  }

  setMap(map) {
    this.map = map;
    this.largestRank = -1;
    this.drawMaps();
    this.panes.forEach((pane) => pane.recolour(map, this.shownTheme));
  }

  nextTheme() {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
    this.recolour();
  }

  recolour() {
    document.documentElement.dataset.theme = this.shownTheme;
    byId("theme").textContent = `theme: ${this.theme}`;
    this.list.theme = this.shownTheme;
    this.list.redraw();
    this.setMap(this.map);
  }

  help() {
    byId("help").showModal();
  }

  leaveField() {
    document.activeElement.blur();
    byId("list").focus();
  }

  drawViews() {
    if (this.views.length < 2) {
      byId("views").hidden = true;
      return;
    }
    const name = (view) => (view === "both" ? "side by side" : this.sets[view].name);
    byId("views").replaceChildren(...this.views.map((view) =>
      choice(name(view), `${name(view)} (c)`, view === this.view, () => this.setView(view))));
  }

  drawMaps() {
    byId("maps").replaceChildren(...MAPS.map((map, index) =>
      choice(map.label, `${map.about} (${index + 1})`, map === this.map, () => this.setMap(map))));
    byId("legend").setAttribute("aria-label", `${this.map.about}: from plain at 0 to the full colour at ${MOST} nats`);
    byId("legend").replaceChildren(...legend(this.map, this.shownTheme));
  }

  drawFilters() {
    const fields = FILTERS.map((filter) => [filter, valuesOf(filter, this.listed.rows)]);
    byId("fields").replaceChildren(...fields.filter(([, values]) => values.length > 1).map(([filter, values]) => {
      const options = [`any ${filter.key === "silent" ? "ending" : filter.key}`, ...values.map(filter.name)];
      const select = make("select", { "aria-label": filter.key, "data-filter": filter.key },
        ...options.map((text) => make("option", { text })));
      select.addEventListener("change", () => {
        this.chosen[filter.key] = values[select.selectedIndex - 1];
        this.relist();
      });
      return select;
    }));
  }

  drawSorts() {
    byId("sort").replaceChildren(...SORTS.map((sort) => make("option", { text: `by ${sort.name}` })));
  }
}

function whyNothing(row, set) {
  if (!set.rows.length) return `${set.name}: no episodes.`;
  return row ? `${set.name}: no episode ${row.episode}.` : "No episode passes the filters.";
}

/** Open the sets, show the first episode, and say when it is painted. */
async function start() {
  const sets = await Promise.all(page.sets.map((each) => EpisodeSet.open(each)));
  const viewer = new Viewer(sets);
  viewer.recolour();
  await viewer.setView(viewer.views[0]);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    performance.mark("ready");
    document.documentElement.dataset.ready = "yes";
  }));
}

start().catch((error) => {
  byId("panes").replaceChildren(make("p", { class: "none", text: `This browser cannot unpack the episodes: ${error.message}` }));
  throw error;
});
