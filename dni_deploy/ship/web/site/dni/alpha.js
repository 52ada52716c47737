// The one definition of a valid alpha, as dni_runtime/alpha.py.

const ROUNDING = 1e-6;

/**
 * Alpha as the numbers that `model` takes, null for a baked model.
 *
 * `alpha`: a number, or an array with the shares of all endpoints but the last; with knobs one number for each, or one
 * for all, or an object of them by name; null for the model's default. Throws RangeError where it is missing or out of
 * range.
 */
export function checkAlpha(alpha, model) {
  if (model.alpha === null) {
    if (alpha === null || alpha === undefined || sameAlpha([alpha].flat(), model.pinned)) return null;
    throw new RangeError(`alpha is ${alpha}; this model is baked for ${model.pinned ?? "one alpha"} and takes none`);
  }
  const { range, count, default: fallback, names } = model.alpha;
  const [low, high] = range;
  const expected = names
    ? `a finite number in ${low}..${high}, or ${count} of them, for ${names.join(", ")}`
    : count === 1
      ? `a finite number in ${low}..${high}`
      : `${count} finite numbers, each and their sum in ${low}..${high}`;
  let values = [alpha ?? fallback ?? []].flat();
  if (typeof alpha === "object" && alpha !== null && !Array.isArray(alpha)) {
    const isKnown = names && Object.keys(alpha).every((name) => names.includes(name));
    values = isKnown ? names.map((name, i) => alpha[name] ?? fallback?.[i]) : [undefined];
    if (values.includes(undefined)) throw new RangeError(`alpha is ${JSON.stringify(alpha)}; expected ${expected}`);
  }
  if (names && values.length === 1) values = Array(count).fill(values[0]);
  if (values.length !== count) {
    throw new RangeError(`alpha is ${alpha}, ${values.length} value(s); expected ${expected}`);
  }
  const sum = names ? [] : [values.reduce((total, each) => total + each, 0)];
  for (const value of [...values, ...sum]) {
    if (typeof value !== "number" || !Number.isFinite(value) || value < low - ROUNDING || value > high + ROUNDING) {
      throw new RangeError(`alpha ${values.join(",")} is out of range; expected ${expected}`);
    }
  }
  return values;
}

function sameAlpha(values, pinned) {
  return pinned?.length === values.length && pinned.every((value, i) => Math.abs(value - values[i]) <= ROUNDING);
}
