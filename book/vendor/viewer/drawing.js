// How bodies are drawn in a page: greys and opacity by window, where slices and rendering stand, how large. No state.
globalThis.vctDrawing = (() => {
  // From which HU on the rendering shows matter, and how dense it is there and at the window's upper end (0 to 255):
  // skin, then what lies below the fat, then the skeleton, then the lungs within a faint outline.
  const RENDERED = {
    body: [[-250, 0], [-150, 40], [60, 90], [200, 255], [450, 255]],
    "soft tissue": [[-60, 0], [0, 30], [60, 90], [240, 255]],
    bone: [[130, 0], [300, 120], [700, 255], [1050, 255]],
    lung: [[-1000, 0], [-930, 0], [-880, 34], [-600, 34], [-450, 5], [150, 5]],
  };
  const PLANES = {axial: 0, coronal: 1, sagittal: 2, all: 3, rendering: 4}; // as NiiVue numbers them
  const AXES = {[PLANES.axial]: [0, 1], [PLANES.coronal]: [0, 2], [PLANES.sagittal]: [1, 2]}; // across and up

  // Grey for every window; alpha counts in the rendering alone.
  function greyWith(window) {
    const share = (hu) => Math.max(0, Math.min(255, Math.round((hu - window.low) / (window.high - window.low) * 255)));
    const points = new Map([[0, 0], [255, 0]]);
    const curve = RENDERED[window.name] ?? [[window.low, 0], [window.high, 128]];
    for (const [hu, alpha] of curve) points.set(share(hu), alpha);
    const I = [...points.keys()].sort((a, b) => a - b);
    return {R: I, G: I, B: I, I, A: I.map((at) => points.get(at))};
  }

  // Tiles as shares of the canvas, coronal and sagittal at one scale; given pixels, and the box in mm.
  function tiles(width, height, [x, y, z]) {
    const wide = width > 1.15 * height;
    const tall = Math.min(wide ? height : 0.62 * height, 0.62 * width / (x + y) * z);
    const front = x / z * tall / width, side = y / z * tall / width, both = front + side;
    const low = Math.min(y / x * (wide ? (1 - both) * width : width), wide ? 0.36 * height : height - tall) / height;
    const rest = [both, 0, 1 - both, wide ? 1 - low : tall / height];
    const axial = wide ? [both, 1 - low, 1 - both, low] : [0, tall / height, 1, 1 - tall / height];
    return [
      {sliceType: PLANES.coronal, position: [0, 0, front, tall / height]},
      {sliceType: PLANES.sagittal, position: [front, 0, side, tall / height]},
      {sliceType: PLANES.rendering, position: rest},
      {sliceType: PLANES.axial, position: axial},
    ];
  }

  // How much larger than NiiVue draws it a body may be, so that it fills a tile of so many pixels and can turn there.
  function scaleIn(width, height, [x, , z]) {
    return 0.92 * Math.min(height, width * z / x) / Math.min(width, height);
  }

  // How many mm one pixel of a slice shows, where it is drawn largest.
  function mmPerPixel(view, width, height, mm) {
    if (view === "all") return Math.min(...tiles(width, height, mm).flatMap(({sliceType, position: [, , w, h]}) =>
      AXES[sliceType] ? [onto(AXES[sliceType], w * width, h * height, mm)] : []));
    return onto(AXES[PLANES[view]] ?? AXES[PLANES.coronal], width, height, mm);
  }

  const onto = ([across, up], width, height, mm) => Math.max(mm[across] / width, mm[up] / height);

  return {PLANES, greyWith, mmPerPixel, scaleIn, tiles};
})();
