// SPDX-License-Identifier: Apache-2.0
// Search in pages that are opened as files: browsers start no workers there, so a hidden frame does its work.
// Material for MkDocs looks for the name `IFrameWorker`.
if (location.protocol === "file:") {
  class IFrameWorker extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const load = (from) =>
        new Promise((resolve, reject) => {
          const script = this.inside.document.createElement("script");
          Object.assign(script, { src: from, onload: resolve, onerror: reject });
          this.inside.document.body.append(script);
        });
      const importScripts = (...all) => all.reduce((before, one) => before.then(() => load(one)), Promise.resolve());
      Object.assign(this.inside, { postMessage: answer, importScripts, IFrameWorker });
      this.ready = load(new URL(url, location.href).href);
    }

    set onmessage(heard) {
      this.addEventListener("message", heard);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  }
  Object.assign(window, { IFrameWorker, Worker: IFrameWorker });
}
