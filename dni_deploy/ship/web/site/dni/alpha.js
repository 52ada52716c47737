// The one definition of a valid alpha, as dni_runtime/alpha.py.

const ROUNDING = 1e-6;

/**
 * Alpha as the numbers that a model takes, null for a baked one.
 *
 * `alpha`: a number, or an array with the shares of all endpoints but the last; with knobs one number for each, or one
 * for all, or an object of them by name; null for the model's default. `taken`, `pinned` and `names` are the model's
 * `alpha`, `pinned` and `names`. Throws RangeError where alpha is missing or out of range.
 */
export function checkAlpha(alpha, { alpha: taken, pinned, names }) {
  if (taken === null) {
    if (alpha === null || alpha === undefined || sameAlpha(numbersOf(alpha, names), pinned)) return null;
    throw new RangeError(`alpha is ${show(alpha)}; this model is baked for ${pinned ?? "one alpha"} and takes none`);
  }
  const { range, count, default: fallback } = taken;
  const [low, high] = range;
  const expected = names
    ? `a finite number in ${low}..${high}, or ${count} of them, for ${names.join(", ")}`
    : count === 1
      ? `a finite number in ${low}..${high}`
      : `${count} finite numbers, each and their sum in ${low}..${high}`;
  const values = numbersOf(alpha ?? fallback ?? [], names, fallback);
  if (values === null) throw new RangeError(`alpha is ${show(alpha)}; expected ${expected}`);
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

/** What `alpha` is as numbers, of which one stands for all `names`; null for an object that does not give each of them. */
function numbersOf(alpha, names, fallback) {
  if (typeof alpha === "object" && !Array.isArray(alpha)) {
    const isKnown = names && Object.keys(alpha).every((name) => names.includes(name));
    const values = isKnown ? names.map((name, i) => alpha[name] ?? fallback?.[i]) : [undefined];
    return values.includes(undefined) ? null : values;
  }
  const values = [alpha].flat();
  return names && values.length === 1 ? names.map(() => values[0]) : values;
}

function sameAlpha(values, pinned) {
  return pinned?.length === values?.length && pinned?.every((value, i) => Math.abs(value - values[i]) <= ROUNDING);
}

function show(alpha) {
  return typeof alpha === "object" && !Array.isArray(alpha) ? JSON.stringify(alpha) : `${alpha}`;
}
