// The sliders of a model: one for two endpoints, one for each but the last of more, one for each knob, none for a baked
// model.

const STEPS = 100;

export class Strength {
  #alpha;
  #onInput;
  #rows = [];
  #rest = null;
  #endpoints;
  #knobs;

  /** Put the sliders into `container`. `onInput(values, isSettled)`: settled is what the slider is let go at. */
  constructor(container, model, onInput) {
    this.#alpha = model.alpha;
    this.#onInput = onInput;
    this.#endpoints = model.endpoints;
    this.#knobs = model.names;
    container.replaceChildren();
    if (model.alpha === null) {
      container.append(element("p", { className: "hint", textContent: bakedText(model) }));
      this.values = null;
      return;
    }
    const { range, count, default: fallback } = model.alpha;
    const names = model.names;
    this.values = fallback ?? Array(count).fill((range[0] + range[1]) / 2 / (names ? 1 : count));
    const initial = [...this.values];
    const parent = count === 1 ? container : element("fieldset");
    if (count > 1) {
      parent.append(element("legend", { textContent: names ? "Blends" : "Shares" }));
      container.append(parent);
    }
    for (let index = 0; index < count; index++) {
      const row = makeRow(index, this.#label(index), range, names || count === 1 ? this.#ends() : [], this.#knots());
      const move = (value, isSettled) => {
        this.values = (names ? setKnob : fitShares)(this.values, index, value, range);
        this.#show(row.number === document.activeElement ? row.number : null);
        onInput(this.values, isSettled);
      };
      row.slider.addEventListener("input", () => move(Number(row.slider.value), false));
      row.slider.addEventListener("change", () => move(Number(row.slider.value), true));
      row.slider.addEventListener("dblclick", () => move(initial[index], true));
      row.number.addEventListener("input", () => {
        if (row.number.value !== "" && inRange(Number(row.number.value), range)) move(Number(row.number.value), true);
      });
      row.number.addEventListener("blur", () => this.#show());
      this.#rows.push(row);
      parent.append(row.element);
    }
    if (count > 1 && !names) parent.append((this.#rest = element("p", { className: "hint" })));
    if (!model.alpha.knots && (range[0] !== 0 || range[1] !== 1)) {
      container.append(element("p", { className: "hint", textContent: "Beyond 0 and 1 the blend extrapolates." }));
    }
    this.#show();
  }

  /** Move all sliders, as if they were let go there. */
  set(values) {
    this.values = [...values];
    this.#show();
    this.#onInput(this.values, true);
  }

  #label(index) {
    const { count } = this.#alpha;
    if (this.#knobs) return index === 0 ? "All others" : this.#knobs[index];
    return count === 1 ? "Blend" : `Share of ${this.#endpoints[index] ?? `endpoint ${index + 1}`}`;
  }

  #ends() {
    const [first, last] = this.#endpoints.length > 1 ? this.#endpoints : ["first", "second"];
    const [low, high] = this.#alpha.range;
    const knots = this.#knots();
    if (knots.length > 0) return [knots[0].text, knots.at(-1).text];
    return [low === 0 ? last : `${low}`, high === 1 ? first : `${high}`];
  }

  /** Where endpoints lie along a path, from the smallest alpha to the largest; none where alpha is their shares. */
  #knots() {
    const knots = (this.#alpha.knots ?? []).map((place, i) => ({ place, text: `${this.#endpoints[i]} (${place})` }));
    return knots.sort((a, b) => a.place - b.place);
  }

  /** Write the values into all fields but `except`, which is being typed into. */
  #show(except = null) {
    this.#rows.forEach(({ slider, number }, index) => {
      const text = this.values[index].toFixed(2);
      const knot = this.#knots().find(({ place }) => place.toFixed(2) === text);
      slider.value = this.values[index];
      slider.setAttribute("aria-valuetext", knot?.text ?? text);
      if (number !== except) number.value = text;
    });
    if (this.#rest) {
      const rest = 1 - this.values.reduce((sum, value) => sum + value, 0);
      this.#rest.textContent = `Share of ${this.#endpoints.at(-1)}: ${rest.toFixed(2)}`;
    }
  }
}

/** `values` with one moved to `value`. */
const setKnob = (values, moved, value, [low, high]) =>
  values.map((old, index) => (index === moved ? Math.min(high, Math.max(low, value)) : old));

/** `values` with one moved to `value`, the others pushed so that their sum stays in the range as well. */
export function fitShares(values, moved, value, [low, high]) {
  const fitted = setKnob(values, moved, value, [low, high]);
  const sum = fitted.reduce((total, each) => total + each, 0);
  const excess = sum > high ? sum - high : sum < low ? sum - low : 0;
  if (excess === 0 || values.length === 1) return fitted;
  const room = fitted.map((each, i) => (i === moved ? 0 : excess > 0 ? each - low : high - each));
  const total = room.reduce((all, each) => all + each, 0) || 1;
  return fitted.map((each, i) => each - (excess * room[i]) / total);
}

const inRange = (value, [low, high]) => Number.isFinite(value) && value >= low && value <= high;

function bakedText({ names, pinned }) {
  const strength = pinned?.map((value, index) => (names ? `${names[index]} ${value}` : value)).join(", ");
  return pinned ? `This model was made for one strength, ${strength}.` : "This model has one strength.";
}

function makeRow(index, label, [low, high], ends, knots) {
  const step = String((high - low) / STEPS);
  const slider = element("input", { type: "range", id: `slider-${index}`, min: low, max: high, step });
  const number = element("input", { type: "number", min: low, max: high, step });
  number.setAttribute("aria-label", `${label}, as a number`);
  const top = element("div", { className: "top" });
  top.append(element("label", { htmlFor: slider.id, textContent: label }), number);
  const row = element("div", { className: "strength" });
  row.append(top, slider);
  if (knots.length > 0) {
    // Browsers draw a mark at each of them, and let the slider stick to it.
    const marks = element("datalist", { id: `knots-${index}` });
    marks.append(...knots.map(({ place, text }) => element("option", { value: `${place}`, label: text })));
    slider.setAttribute("list", marks.id);
    row.append(marks);
  }
  if (ends.length > 0) {
    const line = element("div", { className: "ends", id: `ends-${index}` });
    line.append(...ends.map((textContent) => element("span", { textContent })));
    slider.setAttribute("aria-describedby", line.id);
    row.append(line);
  }
  return { element: row, slider, number };
}

const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);
