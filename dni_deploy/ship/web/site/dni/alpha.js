// The one definition of a valid alpha, as dni_runtime/alpha.py.

const ROUNDING = 1e-6;

/**
 * Alpha as the numbers that `model` takes, null for a baked model.
 *
 * `alpha`: a number, or an array with the shares of all endpoints but the last; null for the model's default. Throws
 * RangeError where it is missing or out of range.
 */
export function checkAlpha(alpha, model) {
  if (model.alpha === null) {
    if (alpha === null || alpha === undefined || sameAlpha([alpha].flat(), model.pinned)) return null;
    throw new RangeError(`alpha is ${alpha}; this model is baked for ${model.pinned ?? "one alpha"} and takes none`);
  }
  const { range, count, default: fallback } = model.alpha;
  const [low, high] = range;
  const expected =
    count === 1
      ? `a finite number in ${low}..${high}`
      : `${count} finite numbers, each and their sum in ${low}..${high}`;
  const values = [alpha ?? fallback ?? []].flat();
  if (values.length !== count) {
    throw new RangeError(`alpha is ${alpha}, ${values.length} value(s); expected ${expected}`);
  }
  for (const value of [...values, values.reduce((sum, each) => sum + each, 0)]) {
    if (typeof value !== "number" || !Number.isFinite(value) || value < low - ROUNDING || value > high + ROUNDING) {
      throw new RangeError(`alpha ${values.join(",")} is out of range; expected ${expected}`);
    }
  }
  return values;
}

function sameAlpha(values, pinned) {
  return pinned?.length === values.length && pinned.every((value, i) => Math.abs(value - values[i]) <= ROUNDING);
}
