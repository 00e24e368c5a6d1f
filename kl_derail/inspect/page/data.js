// The page's data: packed columns become typed arrays, one episode at a time.

const page = JSON.parse(document.getElementById("data").textContent);

const ARRAYS = {
  float64: Float64Array, float32: Float32Array, int64: BigInt64Array, int32: Int32Array,
  int16: Int16Array, int8: Int8Array, uint8: Uint8Array,
};

/** Columns by name: the inverse of `packing.pack`. */
async function unpack({ layout, packed }) {
  const squeezed = Uint8Array.fromBase64?.(packed) ?? Uint8Array.from(atob(packed), (each) => each.charCodeAt(0));
  const stream = new Blob([squeezed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const counts = new Uint32Array(bytes.slice(0, 4 * layout.length));
  let place = 4 * layout.length;
  const columns = {};
  layout.forEach(([name, dtype], index) => {
    const end = place + counts[index] * ARRAYS[dtype].BYTES_PER_ELEMENT;
    columns[name] = new ARRAYS[dtype](bytes.slice(place, end));
    place = end;
  });
  return columns;
}

const TEXT_COLUMNS = [
  "run_id", "base_fingerprint", "trusted_policy", "policy", "accounting", "agent",
];

/** One object an episode, from the overview's columns. */
function rowsOf(columns, set) {
  const single = Object.keys(columns).filter((name) => !["speakers", "strip"].includes(name));
  let speaker = 0;
  return Array.from(columns.episode, (_, index) => {
    const row = { set, index };
    for (const name of single) row[name] = columns[name][index];
    row.base = row.base_fingerprint;
    for (const name of TEXT_COLUMNS) row[name] = page.texts[row[name]];
    const names = columns.speakers.slice(speaker, (speaker += row.speaker_count));
    row.speakers = Array.from(names, (place) => page.texts[place]);
    row.strip = columns.strip.subarray(index * page.bins, (index + 1) * page.bins);
    row.emptyShare = row.empty / row.turns;
    row.impossibleShare = row.impossible / row.judged;
    row.silent = row.silent_from >= 0;
    return row;
  });
}

const KEPT_CHATS = 8;
const PAIRED_BY = ["update", "length", "budget"];

/** A named set of episodes: a row of figures for each, and its chat when asked for. */
class EpisodeSet {
  static async open(plain) {
    const set = new EpisodeSet();
    const columns = await unpack(plain.overview);
    const speech = await unpack(plain.speech);
    Object.assign(set, { name: plain.name, records: plain.records, kept: new Map() });
    set.rows = rowsOf(columns, set);
    let place = 0;
    set.speech = Array.from(speech.counts, (count) => speech.texts.subarray(place, (place += count)));
    return set;
  }

  /** The columns of one chat; the last few are kept. */
  async chat(index) {
    const found = this.kept.get(index) ?? this.read(index);
    this.kept.delete(index);
    this.kept.set(index, found);
    if (this.kept.size > KEPT_CHATS) this.kept.delete(this.kept.keys().next().value);
    return found;
  }

  async read(index) {
    const { layout, packed } = this.records;
    const chat = await unpack({ layout, packed: packed[index] });
    chat.pieceText = Array.from(this.speech[index], (place) => page.texts[place]);
    chat.tokenText = tokenTexts(chat);
    return chat;
  }

  /** The row to stand beside another's: the same number, and as much else alike as there is. */
  partner(row) {
    const alike = (each) => PAIRED_BY.filter((name) => each[name] === row[name]).length;
    const same = this.rows.filter((each) => each.episode === row.episode);
    return same.sort((a, b) => alike(b) - alike(a))[0];
  }

  /** The chats' texts in lower case, for searching; made once. */
  get searchable() {
    this.searched ??= this.speech.map((places) => Array.from(places, (place) => page.texts[place]).join("").toLowerCase());
    return this.searched;
  }
}

/** The shown text of each token, its pieces joined. */
function tokenTexts(chat) {
  const texts = new Array(chat.token_id.length).fill("");
  chat.piece_token.forEach((token, piece) => {
    texts[token] += chat.pieceText[piece];
  });
  return texts;
}

const CANDIDATE_TEXTS = new Map(
  page.tokens.map(([base, texts]) => [base, new Map(Object.entries(texts))]),
);

/** What is known of a candidate's text: undefined where no token of the page has its id. */
function candidateText(row, id) {
  const place = CANDIDATE_TEXTS.get(row.base)?.get(String(id));
  return place === undefined ? undefined : page.texts[place];
}
