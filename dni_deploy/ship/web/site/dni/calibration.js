// Which alpha fits which noise, or which JPEG, as dni_runtime/calibration.py.

const ALPHA_STEPS = 1000;

/** Why a model cannot choose its alpha for an image; null where it can, by its calibration's `kind`. */
export function whyNoChoice({ alpha, calibration }) {
  if (alpha === null) return "this model is baked, so there is no alpha to choose";
  if (!calibration) return "this model is not calibrated (dni calibrate), so nothing tells which alpha fits an image";
  return null;
}

/** The alpha for `level`, of three decimals; beyond the first or last level the one for that. */
export function nearestAlpha({ levels, alphas }, level) {
  const after = levels.findIndex((each) => each >= level);
  if (after === -1) return alphas.at(-1);
  if (after === 0) return alphas[0];
  const share = (level - levels[after - 1]) / (levels[after] - levels[after - 1]);
  const alpha = alphas[after - 1] + share * (alphas[after] - alphas[after - 1]);
  const rounded = Math.round(alpha * ALPHA_STEPS) / ALPHA_STEPS;
  return Math.min(Math.max(...alphas), Math.max(Math.min(...alphas), rounded));
}
