// Which episodes the list shows, and in which order.

const FILTERS = [
  { key: "policy", of: (row) => row.policy, name: (value) => value },
  { key: "update", of: (row) => row.update, name: updateName },
  { key: "budget", of: (row) => row.budget, name: (value) => `${plain(value)} nats` },
  { key: "length", of: (row) => row.length, name: (value) => `${value} tokens` },
  { key: "silent", of: (row) => Number(row.silent), name: (value) => (value ? "silent" : "not silent") },
];

const SORTS = [
  { key: "given", name: "order given", of: (row) => row.index, rising: true },
  { key: "kl", name: "KL spent", of: (row) => row.kl },
  { key: "reward", name: "reward", of: (row) => row.reward },
  { key: "empty", name: "empty turns", of: (row) => row.emptyShare },
  { key: "log_ratio", name: "log-ratio", of: (row) => row.log_ratio },
  { key: "silence", name: "start of silence", of: (row) => (row.silent ? row.silent_from : NaN), rising: true },
  { key: "impossible", name: "impossible turns", of: (row) => row.impossibleShare },
  { key: "length", name: "length", of: (row) => row.length },
  { key: "update", name: "update", of: (row) => row.update, rising: true },
  { key: "budget", name: "budget", of: (row) => row.budget },
];

/** The different values of a filter, rising. */
function valuesOf(filter, rows) {
  const values = [...new Set(rows.map(filter.of))];
  return values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Rows that pass every chosen filter; a choice is the place of a value, or empty. */
function filtered(rows, chosen) {
  return rows.filter((row) =>
    FILTERS.every((filter) => chosen[filter.key] === undefined || filter.of(row) === chosen[filter.key]),
  );
}

/** Rows in order; what has no number comes last either way. */
function sorted(rows, sort, rising) {
  const factor = rising ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [sort.of(a), sort.of(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a.index - b.index;
    return x === y ? a.index - b.index : factor * (x < y ? -1 : 1);
  });
}

/** Rows whose chat holds the words, letter case aside. */
function matching(rows, words) {
  const sought = words.toLowerCase();
  return sought ? rows.filter((row) => row.set.searchable[row.index].includes(sought)) : rows;
}
