// Heat maps: the colour of a token's number, and the legend.

const { most: MOST, steps: STEPS, uncoloured: UNCOLOURED, maps: MAPS } = page.scales;

/** What a map shows of a token, nats. */
function shownNats(map, chat, token) {
  return map.sign * chat[map.column][token];
}

/** [background, ink] of so many nats; undefined where a token stays plain. */
function colours(map, value, theme) {
  const size = Math.abs(value);
  if (!(size >= UNCOLOURED)) return undefined;
  const step = Math.round(STEPS * Math.sqrt(Math.min(size, MOST) / MOST));
  return map[value < 0 ? "down" : "up"][theme][step];
}

function paint(element, found) {
  element.style.backgroundColor = found ? found[0] : "";
  element.style.color = found ? found[1] : "";
}

/** The scale with its ticks. */
function legend(map, theme) {
  const swatches = map.ticks.map(([value, label]) => {
    const swatch = make("span", { class: "swatch", text: label });
    paint(swatch, colours(map, value, theme));
    return swatch;
  });
  return [...swatches, make("span", { class: "unit", text: map.unit })];
}

/** The strip of a list entry: the dearest token of each part of the episode. */
function stripBackground(steps, theme) {
  const map = MAPS[0];
  const least = Math.ceil(STEPS * Math.sqrt(UNCOLOURED / MOST));
  const stops = Array.from(steps, (step, part) => {
    const colour = step < least ? "transparent" : map.up[theme][step][0];
    return `${colour} ${(100 * part) / steps.length}% ${(100 * (part + 1)) / steps.length}%`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
