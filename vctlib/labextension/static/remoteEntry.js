// itkwidgets 0.32.6 ships its viewer as an AMD module for the classic notebook, which JupyterLab 4 does not load.
// This federated extension, written by hand instead of bundled, hands that module to JupyterLab as it is. The files
// of the installed wheel lie beside this one under nbextensions/itkwidgets, so that nothing comes from the network.
(function () {
  'use strict';
  const EXTENSION = 'vct-itkwidgets';
  const MODULE = 'itkwidgets';
  const MODULE_VERSION = '0.32.6';
  const here = document.currentScript.src; // .../lab/extensions/vct-itkwidgets/static/remoteEntry.js

  let sharedScope; // what JupyterLab shares with extensions: name -> version -> { get }

  async function fromJupyterLab(name) {
    const versions = sharedScope[name];
    const newest = Object.keys(versions).sort().pop();
    return (await versions[newest].get())();
  }

  // itkwidgets makes its classes with Backbone's `Parent.extend({...})`. The widget base classes have become native
  // classes, which cannot be called without `new`; so `extend` has to make native subclasses too.
  function extend(prototype, statics) {
    const Parent = this;
    class Child extends Parent {}
    Object.assign(Child.prototype, prototype);
    Object.assign(Child, statics);
    Child.__super__ = Parent.prototype;
    Child.extend = extend;
    return Child;
  }

  function withExtend(Parent) {
    class Child extends Parent {}
    Child.extend = extend;
    return Child;
  }

  // Run the AMD module: it calls define(dependencies, factory), and all it depends on is the widget base.
  // While it loads it reads `data-base-url` from the body, to find its web workers and WebAssembly later on.
  function evaluate(source, base, baseUrl) {
    const body = document.body;
    const before = body.getAttribute('data-base-url');
    let module;
    body.setAttribute('data-base-url', baseUrl);
    try {
      new Function('define', source)((dependencies, factory) => {
        module = factory(...dependencies.map(() => base));
      });
    } finally {
      if (before === null) {
        body.removeAttribute('data-base-url');
      } else {
        body.setAttribute('data-base-url', before);
      }
    }
    return module;
  }

  // 0.32.6 throws here when `channels` is None, its default, which aborts the rest of the set-up: `mode` and
  // `ui_collapsed` would be ignored.
  function ignoreMissingChannels(View) {
    const changed = View.prototype.channels_changed;
    View.prototype.channels_changed = function () {
      if (this.model.get('channels')) {
        return changed.call(this);
      }
    };
  }

  // 0.32.6 has no way to say which colour a label has. Where the name of its table begins with `Custom`, row n of
  // `_custom_cmap` is the colour of label n; 0 stays black, as in its own tables.
  function colourLabels(View) {
    const changed = View.prototype.lut_changed;
    View.prototype.lut_changed = function () {
      const viewer = this.model.itkVtkViewer;
      if (!(this.model.get('lut') || '').startsWith('Custom')) {
        return changed.call(this);
      }
      const shown = viewer && viewer.getStore().imageUI;
      if (shown && shown.labelMapLookupTableProxy) {
        const colours = this.model.get('_custom_cmap').array;
        const numbers = shown.labelMapLabels; // those that are there, sorted
        const table = shown.labelMapLookupTableProxy;
        table.setRGBPoints(numbers.map((n) => [n, ...colours.slice(3 * n, 3 * n + 3), 0.5, 1]));
        table.getLookupTable().setMappingRange(numbers[0], numbers[numbers.length - 1]);
        viewer.renderLater();
      }
    };
  }

  async function load(base) {
    const baseUrl = new URL('.', here).href;
    const response = await fetch(baseUrl + 'nbextensions/itkwidgets/index.js');
    if (!response.ok) {
      throw new Error(`${EXTENSION}: ${response.url} answers ${response.status}; install the extension again`);
    }
    const nativeBase = {
      ...base,
      DOMWidgetModel: withExtend(base.DOMWidgetModel),
      DOMWidgetView: withExtend(base.DOMWidgetView),
    };
    const module = evaluate(await response.text(), nativeBase, baseUrl);
    ignoreMissingChannels(module.ViewerView);
    colourLabels(module.ViewerView);
    return module;
  }

  async function makePlugin() {
    const base = await fromJupyterLab('@jupyter-widgets/base');
    const plugin = {
      id: `${EXTENSION}:plugin`,
      autoStart: true,
      requires: [base.IJupyterWidgetRegistry],
      activate: (app, registry) =>
        registry.registerWidget({ name: MODULE, version: MODULE_VERSION, exports: () => load(base) }),
    };
    return () => ({ __esModule: true, default: plugin });
  }

  // The container that module federation expects.
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[EXTENSION] = {
    init: (scope) => {
      sharedScope = scope;
    },
    get: makePlugin,
  };
})();
