// What a page is told of a model, which may be a stranger's: all of it is checked before anything is made of it.
// The limits are those of dni_runtime/metadata.py and describe.py, where the reasons are written down.

import { checkAlpha } from "./alpha.js";
import { sizeUnit } from "./tiling.js";

const LIMIT_SIDE = 1024;
const LIMIT_FIXED = 4096;
const LIMIT_VALUE = 1e6;
const LIMIT_SCALE = 64;
const LIMIT_DENOMINATOR = 1024;
const LIMIT_ENDPOINTS = 256;
const LIMIT_VERDICT = 1000;
const LIMIT_LEVELS = 256;
const CALIBRATED_FOR = { noise: [0, 255], jpeg: [1, 100] };
const LEAST_SPAN = 1e-6;
const LENGTH_SHOWN = 40;

// A rule is [what is expected, whether a value is that]; an object of rules is one for an object.
const isWhole = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;
const isNumber = (value, limit) => typeof value === "number" && Math.abs(value) <= limit;
const isList = (value, limit, fits) => Array.isArray(value) && value.length <= limit && value.every(fits);
const isSpan = (value) =>
  isList(value, 2, (each) => isNumber(each, LIMIT_VALUE)) && value[1] - value[0] >= LEAST_SPAN;
const isText = (value) => typeof value === "string";

const whole = (low, high) => [`a whole number in ${low}..${high}`, (value) => isWhole(value, low, high)];
const orNull = ([expected, fits]) => [`${expected}, or null`, (value) => value === null || fits(value)];
const TEXT = ["a text", isText];
const SPAN = [`two numbers in ${-LIMIT_VALUE}..${LIMIT_VALUE}, the second larger by ${LEAST_SPAN} or more`, isSpan];
const SIDE = whole(1, LIMIT_SIDE);
const NUMBERS = ["a list of numbers", (value) => isList(value, LIMIT_ENDPOINTS, (each) => isNumber(each, LIMIT_VALUE))];

const ALPHA = {
  name: TEXT,
  shape: ["a list of sizes", (value) => isList(value, 4, (each) => isWhole(each, 1, LIMIT_ENDPOINTS))],
  count: whole(1, LIMIT_ENDPOINTS),
  range: SPAN,
  default: orNull(NUMBERS),
  // Of sites that were written before there were paths none has any.
  knots: ["a list of numbers, or null", (value) => value === undefined || value === null || NUMBERS[1](value)],
};
const RULES = {
  name: TEXT,
  input: { name: TEXT, shape: [`[N, 1 or 3, H, W], each but the second null or at most ${LIMIT_FIXED}`, isImage] },
  output: { name: TEXT },
  alpha: ALPHA,
  pinned: orNull(NUMBERS),
  // Nor of those from before there were knobs.
  names: ["a list of texts, or null", (value) => value === undefined || value === null || isList(value, LIMIT_ENDPOINTS, isText)],
  endpoints: [`a list of texts, ${LIMIT_ENDPOINTS} at most`, (value) => isList(value, LIMIT_ENDPOINTS, isText)],
  architecture: TEXT,
  scale: [`[numerator, denominator] of a number in 1/${LIMIT_SCALE}..${LIMIT_SCALE}`, isScale],
  // Of sites that were written before there were networks of square images, or tiles on a grid, none says so.
  size: {
    multiple: SIDE,
    minimum: SIDE,
    square: ["true or false", (value) => value === undefined || typeof value === "boolean"],
    grid: [SIDE[0], (value) => value === undefined || SIDE[1](value)],
  },
  overlap: orNull(whole(0, LIMIT_SIDE)),
  range: SPAN,
  // Sites that were written before there was one have none.
  verdict: [`a text of at most ${LIMIT_VERDICT} characters, or null`, isVerdict],
  calibration: [`{kind, levels, alphas} with ${LIMIT_LEVELS} rising levels at most and an alpha for each, or null`, isCurve],
};

/**
 * A copy of `metadata` that holds what format 1 knows and nothing else. Throws Error where format 1 does not allow it;
 * `source` is who said so.
 */
export function checkMetadata(metadata, source) {
  if (metadata?.format !== 1) {
    throw new Error(`${source} does not describe a model in format 1; write the site again with dni ship web`);
  }
  try {
    const taken = take(metadata, metadata.alpha === null ? { ...RULES, alpha: ["null", () => true] } : RULES);
    checkTogether(taken);
    return { format: 1, ...taken };
  } catch (error) {
    throw new Error(`${source} does not describe a model that can run: ${error.message}`);
  }
}

function take(value, rule, place = "") {
  if (Array.isArray(rule)) {
    const [expected, fits] = rule;
    return fits(value) ? value : refuse(place, value, expected);
  }
  if (typeof value !== "object" || value === null) refuse(place, value, "an object");
  const inner = (name) => (Object.hasOwn(value, name) ? value[name] : undefined);
  const names = Object.keys(rule);
  return Object.fromEntries(names.map((name) => [name, take(inner(name), rule[name], place ? `${place}.${name}` : name)]));
}

function checkTogether({ alpha, calibration, endpoints, input, names, pinned, scale, size }) {
  const unit = sizeUnit({ scale, size });
  if (unit > LIMIT_SIDE) {
    refuse("scale", scale, `one that makes sizes multiples of ${LIMIT_SIDE} at most; with size.multiple, of ${unit}`);
  }
  if (input.shape.slice(2).some((fixed) => fixed % scale[1] !== 0)) {
    refuse("scale", scale, "one that makes whole numbers of the fixed sizes in input.shape");
  }
  const count = alpha?.count ?? pinned?.length;
  if (names && names.length !== count) refuse("names", names, `${count} names`);
  if (alpha === null) return;
  if (alpha.shape.reduce((product, each) => product * each, 1) !== alpha.count) {
    refuse("alpha.shape", alpha.shape, `room for ${alpha.count} numbers`);
  }
  const { knots, range } = alpha;
  if (knots && (knots.length !== endpoints.length || Math.min(...knots) !== range[0] || Math.max(...knots) !== range[1])) {
    refuse("alpha.knots", knots, "a place for each endpoint, and the ends of alpha.range among them");
  }
  if (alpha.default !== null) checkAlpha(alpha.default, { alpha, names });
  if (!calibration) return;
  if (alpha.count !== 1) refuse("calibration", calibration, "null for an alpha of several numbers");
  for (const each of calibration.alphas) checkAlpha(each, { alpha, names });
}

function isImage(value) {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [batch, channels, ...size] = value;
  return [1, 3].includes(channels) && [batch, ...size].every((each) => each === null || isWhole(each, 1, LIMIT_FIXED));
}

function isVerdict(value) {
  return value === undefined || value === null || (isText(value) && [...value].length <= LIMIT_VERDICT);
}

function isCurve(value) {
  if (value === undefined || value === null) return true;
  if (!Object.hasOwn(CALIBRATED_FOR, value.kind)) return false;
  const [low, high] = CALIBRATED_FOR[value.kind];
  const { levels, alphas } = value;
  const isLevel = (each, i) => isNumber(each, high) && each >= low && (i === 0 || each > levels[i - 1]);
  if (!isList(levels, LIMIT_LEVELS, isLevel) || levels.length < 2) return false;
  return isList(alphas, LIMIT_LEVELS, (each) => isNumber(each, LIMIT_VALUE)) && alphas.length === levels.length;
}

function isScale(value) {
  if (!isList(value, 2, (each) => isWhole(each, 1, LIMIT_SCALE * LIMIT_DENOMINATOR)) || value.length !== 2) return false;
  const [numerator, denominator] = value;
  if (denominator > LIMIT_DENOMINATOR) return false;
  return numerator <= LIMIT_SCALE * denominator && denominator <= LIMIT_SCALE * numerator;
}

function refuse(place, value, expected) {
  throw new Error(`${place} is ${value === undefined ? "missing" : show(value)}; expected ${expected}`);
}

/** A value of JSON in few characters. */
function show(value) {
  if (Array.isArray(value)) {
    const inner = value.slice(0, 4).map((each) => (Array.isArray(each) ? "[...]" : show(each)));
    return `[${inner.join(", ")}${value.length > 4 ? ", ..." : ""}]`;
  }
  const text = isText(value) ? JSON.stringify(value) : typeof value === "object" && value ? "an object" : String(value);
  return text.length > LENGTH_SHOWN ? `${text.slice(0, LENGTH_SHOWN)}...` : text;
}
