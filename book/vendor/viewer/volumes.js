// People to turn round in a page: what the directive `volumes` (vctlib/commands/volumes.py) wrote becomes a viewer.
// A body's volume lies in a script of its own, since a page opened from a folder may load scripts but fetch nothing.
(() => {
  const {PLANES, greyWith, mmPerPixel, scaleIn, tiles} = globalThis.vctDrawing; // drawing.js
  const FRONT_DEGREES = 180, TURN_STEP = 5, SHADING = 0.3, CROSS_PIXELS = 1.3;
  const CUT = {none: 2, from: 0.35, to: -0.25}; // depth of the cut, in shares of the volume's diagonal from its middle
  const loaded = new Map();

  function load(address) {
    if (!loaded.has(address)) {
      loaded.set(address, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = resolve;
        script.onerror = () => { loaded.delete(address); reject(new Error(`${address} could not be read`)); };
        document.head.append(script);
      }));
    }
    return loaded.get(address);
  }

  function drawsWebGL() {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl2"));
    } catch { return false; }
  }

  const around = (degrees) => ((degrees % 360) + 540) % 360 - 180;

  class Bodies {
    constructor(root) {
      this.root = root;
      this.list = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
      this.canvas = root.querySelector("canvas");
      this.stage = root.querySelector(".bodies-stage");
      this.only = new Set(); // numbers of the structures that are shown alone; empty: all are
      const names = ["people", "still", "show", "wait", "title", "controls", "legend", "help", "failed"];
      this.parts = Object.fromEntries(names.map((name) => [name, root.querySelector(`.bodies-${name}`)]));
      this.parts.people.hidden = false;
      this.parts.people.addEventListener("change", () => this.choose());
      if (!drawsWebGL()) return this.fail();
      this.parts.show.hidden = false;
      this.parts.show.addEventListener("click", (event) => this.attempt(() => this.start(event.pointerType)));
      this.choose();
    }

    get person() {
      const id = this.parts.people.querySelector("input:checked").value;
      return this.list.people.find((person) => person.id === id);
    }

    control(what) { return this.root.querySelector(`[data-what=${what}]`); }

    get window() { return this.list.windows[this.control("window").selectedIndex]; }

    async attempt(what) {
      try {
        await what();
      } catch (error) {
        console.warn(error);
        this.viewer = null;
        this.fail(`The body could not be shown: ${error.message}. `);
      }
    }

    fail(reason = "This browser draws no WebGL, which turning takes. ") {
      this.root.dataset.state = "failed";
      this.parts.failed.querySelector("span").textContent = reason;
      for (const name of ["show", "controls", "legend", "help"]) this.parts[name].hidden = true;
      this.canvas.hidden = true;
      this.parts.still.hidden = this.parts.failed.hidden = false;
      this.parts.wait.textContent = "";
      this.choose();
    }

    choose() {
      const {still, title, bytes} = this.person;
      this.parts.title.querySelector("span").textContent = title;
      this.parts.still.src = still;
      this.parts.still.alt = `${title}: coronal and sagittal slice with labels, radiograph`;
      const megabytes = ((bytes + this.list.viewer_bytes) / 1e6).toFixed(1);
      this.parts.show.querySelector("small").textContent = `loads ${megabytes} MB`;
      if (this.viewer) this.attempt(() => this.show());
    }

    async start(pointer) {
      this.parts.show.hidden = true;
      this.parts.wait.textContent = "Loading …";
      await load(this.root.dataset.niivue);
      this.canvas.hidden = false;
      const viewer = new niivue.Niivue({
        backColor: [0, 0, 0, 1], logLevel: "error", loadingText: "", dragAndDropEnabled: false, dragMode: 0,
        isRadiologicalConvention: true, sagittalNoseLeft: true, show3Dcrosshair: false, crosshairWidthUnit: "mm",
        crosshairColor: [1, 0.75, 0.2, 0.8], fontColor: [0.75, 0.75, 0.75, 1], fontMinPx: 11,
        clipPlaneColor: [0, 0, 0, 0], isClipAllVolumes: true,
        clipPlaneHotKey: "", cycleClipPlaneHotKey: "", viewModeHotKey: "", // they would leave the controls behind
      });
      viewer.resetBriCon = () => {}; // a double click or a long press would leave the chosen window
      await viewer.attachToCanvas(this.canvas);
      if (pointer !== "touch") this.canvas.focus({preventScroll: true}); // where the button was
      viewer.onLocationChange = (where) => this.tell(where);
      viewer.scene.onAzimuthElevationChange = (azimuth) => this.turned(azimuth);
      this.list.windows.forEach((window, n) => viewer.addColormap(`grey${n}`, greyWith(window)));
      viewer.setVolumeRenderIllumination(SHADING);
      this.viewer = viewer;
      this.listen();
      await this.show();
    }

    listen() {
      for (const control of this.parts.controls.querySelectorAll("[data-what]")) {
        control.addEventListener("input", () => this.update(control.dataset.what));
      }
      for (const button of this.parts.legend.querySelectorAll("button")) {
        button.addEventListener("click", () => this.toggle(button));
      }
      new ResizeObserver(() => this.arrange()).observe(this.stage);
      // Wheel and fingers move the page until the canvas has been clicked or tapped.
      const {canvas, stage} = this;
      const focus = ({pointerType}) => { if (pointerType !== "touch") canvas.focus({preventScroll: true}); };
      for (const name of ["wheel", "touchstart", "touchmove", "touchend"]) {
        stage.addEventListener(name, (event) => {
          if (document.activeElement !== canvas) event.stopPropagation();
        }, {capture: true, passive: true});
      }
      stage.addEventListener("pointerdown", focus, {capture: true});
      stage.addEventListener("click", () => focus({}));
      canvas.addEventListener("keydown", (event) => {
        const {key} = event;
        const turn = {ArrowLeft: -TURN_STEP, ArrowRight: TURN_STEP}[key], up = {ArrowUp: 1, ArrowDown: -1}[key];
        if (turn) this.set("turn", around(Number(this.control("turn").value) + turn));
        if (up) this.set("level", Number(this.control("level").value) + up);
        if (turn || up) event.preventDefault();
      });
    }

    set(what, value) {
      this.control(what).value = value;
      this.update(what);
    }

    async show() {
      const {viewer, person} = this;
      this.parts.wait.textContent = "Loading …";
      this.root.dataset.state = "loading";
      await load(person.script);
      const packed = globalThis.vctVolumes[person.id];
      const [ct, labels] = await Promise.all(["ct", "labels"].map(
        (name) => niivue.NVImage.loadFromBase64({base64: packed[name], name: `${name}.nii.gz`})));
      if (this.person !== person) return; // somebody else has been chosen meanwhile
      const first = viewer.volumes.length === 0;
      for (const volume of [...viewer.volumes]) viewer.removeVolume(volume);
      viewer.addVolume(ct);
      viewer.addVolume(labels);
      this.sizes = labels.dimsRAS.slice(1, 4);
      this.places = this.middles(labels);
      this.control("level").max = this.sizes[2] - 1;
      if (first) this.moveTo(person.centre);
      for (const button of this.parts.legend.querySelectorAll("button")) {
        const number = Number(button.dataset.number);
        button.disabled = !this.places.has(number);
        if (button.disabled) this.only.delete(number);
        button.setAttribute("aria-pressed", this.only.has(number));
      }
      this.canvas.setAttribute("aria-label", `${person.title}, to turn round. Arrow keys turn and move up and down.`);
      this.parts.wait.textContent = "";
      this.parts.still.hidden = true;
      for (const name of ["controls", "legend", "help"]) this.parts[name].hidden = false;
      for (const what of ["window", "labels", "turn", "cut"]) this.update(what);
      this.colour();
      this.arrange();
      viewer.createOnLocationChange();
      this.root.dataset.state = "ready";
      this.root.dataset.shown = person.id;
    }

    // Structure -> the voxel of it that lies nearest to its middle.
    middles(labels) {
      const [nx, ny] = this.sizes, sums = new Map(), nearest = new Map();
      const each = (visit) => labels.img.forEach((number, at) => {
        if (number) visit(number, [at % nx, Math.floor(at / nx) % ny, Math.floor(at / nx / ny)]);
      });
      each((number, voxel) => {
        const sum = sums.get(number) ?? [0, 0, 0, 0];
        sums.set(number, [...voxel.map((v, axis) => sum[axis] + v), sum[3] + 1]);
      });
      each((number, voxel) => {
        const sum = sums.get(number), away = Math.hypot(...voxel.map((v, axis) => v - sum[axis] / sum[3]));
        if (away < (nearest.get(number)?.away ?? Infinity)) nearest.set(number, {away, voxel});
      });
      return new Map([...nearest].map(([number, {voxel}]) => [number, voxel]));
    }

    moveTo(voxel) {
      const now = this.viewer.frac2vox(this.viewer.scene.crosshairPos);
      this.viewer.moveCrosshairInVox(...voxel.map((v, axis) => v - now[axis]));
    }

    toggle(button) {
      const number = Number(button.dataset.number), pressed = !this.only.has(number);
      this.only[pressed ? "add" : "delete"](number);
      button.setAttribute("aria-pressed", pressed);
      this.colour();
      if (pressed) this.moveTo(this.places.get(number));
    }

    colour() {
      const map = {R: [0], G: [0], B: [0], A: [0], I: [0]};
      for (const {number, colour} of this.list.structures) {
        ["R", "G", "B"].forEach((c, n) => map[c].push(parseInt(colour.slice(1 + 2 * n, 3 + 2 * n), 16)));
        map.A.push(this.only.size && !this.only.has(number) ? 0 : 255);
        map.I.push(number);
      }
      this.viewer.volumes[1].setColormapLabel(map);
      this.viewer.updateGLVolume();
    }

    update(what) {
      const {viewer} = this, value = this.control(what).value;
      if (what === "window") {
        const ct = viewer.volumes[0];
        ct.colormap = `grey${this.control("window").selectedIndex}`;
        [ct.cal_min, ct.cal_max] = [this.window.low, this.window.high];
        viewer.updateGLVolume();
      }
      if (what === "labels") viewer.setOpacity(1, Number(value));
      if (what === "view") this.arrange();
      const {renderElevation} = viewer.scene;
      if (what === "turn") viewer.setRenderAzimuthElevation(FRONT_DEGREES + Number(value), renderElevation);
      const depth = Number(value) ? CUT.from + (CUT.to - CUT.from) * value : CUT.none;
      if (what === "cut") viewer.setClipPlane([depth, FRONT_DEGREES, 0]);
      if (what === "level") {
        const [x, y] = viewer.frac2vox(viewer.scene.crosshairPos);
        this.moveTo([x, y, Number(value)]);
      }
    }

    arrange() {
      if (!this.viewer?.volumes.length) return;
      const view = this.control("view").value, {offsetWidth, offsetHeight} = this.canvas;
      const mm = this.sizes.map((size) => size * this.list.spacing_mm);
      const layout = view === "all" ? tiles(offsetWidth, offsetHeight, mm) : [];
      const [, , width, height] = layout.find((tile) => tile.sliceType === PLANES.rendering)?.position ?? [0, 0, 1, 1];
      this.viewer.setScale(scaleIn(width * offsetWidth, height * offsetHeight, mm));
      this.viewer.setCrosshairWidth(CROSS_PIXELS * mmPerPixel(view, offsetWidth, offsetHeight, mm));
      this.viewer.setCustomLayout(layout);
      this.viewer.setSliceType(PLANES[view]);
    }

    turned(azimuth) {
      this.control("turn").value = around(azimuth - FRONT_DEGREES);
    }

    tell({values, vox}) {
      if (values.length < 2) return;
      const [hu, number] = values.map(({value}) => Math.round(value));
      const name = this.list.structures.find((structure) => structure.number === number)?.name ?? "no label";
      const told = `At the cross: ${name}, ${String(hu).replace("-", "−")} HU`;
      this.parts.title.querySelector("output").textContent = told;
      this.control("level").value = Math.round(vox[2]);
    }
  }

  for (const root of document.querySelectorAll(".bodies")) new Bodies(root);
})();
