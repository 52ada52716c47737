// The page: what belongs to what, and what it says.

import { load, whyNoChoice } from "../dni/dni.js";
import { listenForPhotos, readPhoto, save } from "./photo.js";
import { withProfile } from "./profile.js";
import { Renderer } from "./renderer.js";
import { Strength } from "./strength.js";
import { Viewer } from "./viewer.js";

const ui = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const viewer = new Viewer(ui, (zoom) => (ui["zoom-level"].textContent = `${Math.round(100 * zoom)}%`));

let site = null;
let model = null;
let photo = null;
let strength = null;
let renderer = null;
let loading = null;
let noModel = null; // why there is none
let opening = 0;

const tell = {
  progress: (done, total) => {
    showProgress(done, total);
    if (total > 1) say(`Tile ${done} of ${total}`, { isQuiet: true });
  },
  live: (alpha) => say("Preview of the framed part", { live: alpha, isQuiet: true }),
  done: ({ alpha, ms }) => {
    const { width, height } = photo.image;
    const [numerator, denominator] = model.metadata.scale;
    const scale = numerator === denominator ? "" : `, × ${numerator / denominator}`;
    hideProgress();
    say(`${width} × ${height}${scale} in ${duration(ms)}`, { shown: alpha });
    ui.canvas.setAttribute("aria-label", `${photo.name}, before and after${alphaText(alpha, " at a blend of ")}`);
  },
  error: ({ message }) => {
    say("");
    complain(`The picture could not be computed: ${message}${/memory|alloc/i.test(message) ? "; a smaller one may fit" : ""}`);
  },
};

async function start() {
  const response = await fetch("site.json");
  if (!response.ok) throw new Error(`site.json cannot be loaded: the server answered ${response.status}`);
  site = await response.json();
  ui.title.textContent = document.title = site.title;
  ui.example.hidden = !site.example;
  ui.model.append(...site.models.map(({ name }) => new Option(name, name)));
  ui["model-field"].hidden = site.models.length < 2;
  if (!site.webgpu) ui.device.querySelector("[value=webgpu]").remove();
  const wish = new URLSearchParams(location.search).get("device");
  if ([...ui.device.options].some(({ value }) => value === wish)) ui.device.value = wish;
  listen();
  await loadModel();
}

function listen() {
  listenForPhotos({ page: document.body, input: ui.file, take: openFirst });
  for (const button of [ui.choose, ui.another]) button.addEventListener("click", () => ui.file.click());
  ui.example.addEventListener("click", openExample);
  ui.download.addEventListener("click", () =>
    download().catch((error) => complain(`The result could not be written: ${error.message}`)),
  );
  ui.model.addEventListener("change", loadModel);
  ui.device.addEventListener("change", loadModel);
  ui.auto.addEventListener("click", () => fitToPhoto().catch((error) => complain(error.message)));
  ui["zoom-in"].addEventListener("click", () => viewer.zoomBy(1.5));
  ui["zoom-out"].addEventListener("click", () => viewer.zoomBy(1 / 1.5));
  ui["zoom-fit"].addEventListener("click", () => viewer.fit());
  ui["zoom-real"].addEventListener("click", () => viewer.showRealPixels());
}

async function loadModel() {
  loading?.abort();
  const mine = (loading = new AbortController());
  renderer?.close();
  model?.close();
  renderer = model = null;
  ui.strength.replaceChildren();
  ui.choice.hidden = true;
  ui.download.disabled = true;
  const { name, url, bytes } = site.models[Math.max(0, ui.model.selectedIndex)];
  say(`Loading ${name}, ${megabytes(bytes)}`);
  complain((noModel = null));
  ui.engine.textContent = ui.about.textContent = ui.verdict.textContent = "";
  try {
    const device = site.webgpu ? ui.device.value : "wasm";
    const loaded = await load(url, { device, signal: mine.signal, onProgress: showProgress });
    if (mine.signal.aborted) return loaded.close();
    model = loaded;
  } catch (error) {
    hideProgress();
    if (mine.signal.aborted) return;
    say("");
    return complain((noModel = `${name} could not be loaded: ${error.message}`));
  }
  hideProgress();
  ui.engine.textContent = engineText(model);
  ui.about.textContent = [model.metadata.architecture, ...model.metadata.endpoints].filter(Boolean).join(" · ");
  ui.verdict.hidden = !model.metadata.verdict;
  ui.verdict.textContent = model.metadata.verdict ? `The pair ${model.metadata.verdict}` : "";
  strength = new Strength(ui.strength, model.metadata, (values, isSettled) => renderer?.request(values, isSettled));
  ui.choice.hidden = whyNoChoice(model.metadata) !== null;
  ui.auto.textContent = model.metadata.calibration?.kind === "jpeg" ? "Fit to the JPEG" : "Fit to the noise";
  say(photo ? "" : "Ready for a photograph");
  render();
}

async function openFirst(files) {
  await openPhoto(files[0]);
  if (files.length > 1 && ui.error.hidden) complain(`${files.length} files were given; the first one is shown`);
}

async function openPhoto(file, name) {
  complain(noModel);
  const mine = ++opening;
  const opened = await readPhoto(file, name).catch((error) => {
    if (mine === opening) complain(error.message);
  });
  if (!opened || mine !== opening) return opened?.bitmap.close();
  photo?.bitmap.close();
  photo = opened;
  ui.empty.hidden = true;
  for (const element of [ui.view, ui.divider, ui.zoom, ui.another]) element.hidden = false;
  ui.canvas.setAttribute("aria-label", photo.name);
  viewer.show(photo.bitmap);
  render();
}

async function openExample() {
  const response = await fetch(site.example).catch(() => null);
  if (!response?.ok) return complain(`The example ${site.example} could not be loaded`);
  await openPhoto(await response.blob(), decodeURIComponent(site.example.split("/").at(-1)));
}

function render() {
  renderer?.close();
  renderer = null;
  viewer.setAfter(null);
  viewer.setLive(null);
  ui.download.disabled = ui.auto.disabled = !(model && photo);
  ui.noise.textContent = "";
  if (!model || !photo) return;
  say("Computing", { isQuiet: true });
  renderer = new Renderer(model, photo, viewer, tell);
  renderer.request(strength.values, true);
}

async function fitToPhoto() {
  const [mine, image] = [model, photo];
  const { alpha, kind, level } = await mine.chooseAlpha(image.image, { grey: image.grey, file: image.file });
  if (mine !== model || image !== photo) return;
  complain(null);
  ui.noise.textContent = kind === "jpeg" ? `Quality ${level}` : `Noise about ${Math.round(level)}`;
  strength.set([alpha]);
}

async function download() {
  const working = renderer;
  const result = await working.whole();
  if (working !== renderer || !result) return;
  const numbers = await result.canvas.convertToBlob({ type: "image/png" });
  const blob = photo.profile ? await withProfile(numbers, photo.profile) : numbers;
  const stem = photo.name.replace(/\.[^.]*$/, "");
  save(blob, `${stem}${alphaText(result.alpha, "_alpha") || "_result"}.png`);
}

const alphaText = (alpha, before) =>
  alpha === null ? "" : before + alpha.map((value) => value.toFixed(2)).join(",");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function engineText({ device, threads, note }) {
  if (device === "webgpu") return "Runs on WebGPU.";
  const lines = [`Runs on WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`, note];
  if (!crossOriginIsolated) lines.push("one thread only, as the server sends no COOP and COEP headers");
  return `${lines.filter(Boolean).join("; ")}.`;
}

/**
 * The status line; `shown` and `live` are the alpha of what is on screen, whole or in part. `isQuiet`: too often to be
 * read out.
 */
function say(text, { shown, live, isQuiet = false } = {}) {
  ui.status.setAttribute("aria-live", isQuiet ? "off" : "polite");
  ui.status.textContent = text;
  for (const [name, alpha] of Object.entries({ shown, live })) {
    if (alpha === undefined) delete ui.status.dataset[name];
    else ui.status.dataset[name] = String(alpha ?? "");
  }
}

function complain(text) {
  ui.error.hidden = !text;
  ui.error.textContent = text ?? "";
  if (text) hideProgress();
}

function showProgress(done, total) {
  ui.progress.hidden = total === 1;
  ui.progress.max = total || 1;
  ui.progress.value = done;
}

function hideProgress() {
  ui.progress.hidden = true;
}

start().catch((error) => complain(`This page could not start: ${error.message}`));
