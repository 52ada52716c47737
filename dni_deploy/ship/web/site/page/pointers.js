// Mouse, pen and fingers on the picture, as moving and zooming.

/**
 * Drag with one pointer, pinch with two, turn the wheel, click twice.
 *
 * `pan(x, y)` gets CSS pixels, `zoom(factor, x, y)` the point of `view` that stays where it is.
 */
export function listenToPointers(view, { pan, zoom }) {
  const pointers = new Map();
  const place = (event) => {
    const box = view.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const middle = () => {
    const points = [...pointers.values()];
    const sum = points.reduce(([x, y], [a, b]) => [x + a, y + b], [0, 0]);
    return [sum[0] / points.length, sum[1] / points.length];
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
  };
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
  });
  view.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const [x, y] = middle();
    const before = pointers.size === 2 ? spread() : 1;
    pointers.set(event.pointerId, place(event));
    const [newX, newY] = middle();
    pan(newX - x, newY - y);
    if (pointers.size === 2) zoom(spread() / before, newX, newY);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    view.addEventListener(kind, (event) => pointers.delete(event.pointerId));
  }
  view.addEventListener("wheel", (event) => {
    if (event.cancelable) event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...place(event));
  });
  view.addEventListener("dblclick", (event) => zoom(2, ...place(event)));
}
