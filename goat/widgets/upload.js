// One file from the browser to the kernel, in acknowledged pieces.

// A piece that takes too long makes the next one smaller, so that the bar moves on any network.
const [SMALLEST, FIRST, LARGEST] = [1 << 13, 1 << 16, 1 << 20];
const [SOON_MS, LATE_MS] = [500, 2000];
const PATIENCE_MS = 20000;

function render({ model, el }) {
  el.classList.add("goat-upload");
  const input = make("input", { type: "file", "aria-label": "Choose a file of this computer" });
  const bar = make("progress", { max: "1", value: "0", "aria-label": "Upload" });
  const said = make("span", { class: "goat-said", role: "status", "aria-live": "polite" });
  bar.hidden = true;
  el.append(input, bar, said);
  const offer = () => {
    input.accept = model.get("accept");
    input.setAttribute("aria-label", input.accept ? `Choose a file of this computer (${input.accept})` : "Choose a file of this computer");
  };
  offer();
  model.on("change:accept", offer);
  const job = { file: null, timer: 0, piece: FIRST, sent: 0 };
  const size = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

  function wait() {
    clearTimeout(job.timer);
    job.timer = setTimeout(() => {
      said.textContent = "The kernel does not answer: it is busy, or gone. The upload goes on when it answers; after a restart of the kernel choose the file again.";
    }, PATIENCE_MS);
  }

  function end(text) {
    clearTimeout(job.timer);
    job.file = null;
    bar.hidden = true;
    input.value = "";
    said.textContent = text;
  }

  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    if (file.size > model.get("limit")) {
      end(`${file.name} has ${size(file.size)}, too much for this button (${size(model.get("limit"))}). Drag it into the file browser on the left, then give its path here.`);
      return;
    }
    Object.assign(job, { file, piece: FIRST, sent: 0 });
    bar.hidden = false;
    bar.value = 0;
    said.textContent = `${file.name} …`;
    model.send({ start: file.name, size: file.size });
    wait();
  });

  async function hear(content) {
    if (content.failed) end(content.failed);
    if (content.arrived) end(`${content.arrived} is here.`);
    if (content.next === undefined || !job.file) return;
    const file = job.file;
    bar.value = file.size ? content.next / file.size : 1;
    said.textContent = `${file.name}: ${size(content.next)} of ${size(file.size)}`;
    wait();
    if (content.next < file.size) {
      adjust();
      const piece = await file.slice(content.next, content.next + job.piece).arrayBuffer();
      job.sent = performance.now();
      model.send({ at: content.next }, undefined, [piece]);
    }
  }

  function adjust() {
    if (!job.sent) return;
    const took = performance.now() - job.sent;
    if (took < SOON_MS) job.piece = Math.min(LARGEST, job.piece * 2);
    else if (took > LATE_MS) job.piece = Math.max(SMALLEST, job.piece / 2);
  }

  /** The kernel that had the beginning is gone: nothing of it will ever arrive. */
  function lost() {
    if (job.file) end("The kernel ended during the upload, nothing was kept. Run the panel's cell again, then choose the file again.");
  }
  model.on("msg:custom", hear);
  model.on("comm_live_update", lost);
  return () => {
    model.off("msg:custom", hear);
    model.off("comm_live_update", lost);
    model.off("change:accept", offer);
    clearTimeout(job.timer);
  };
}

export default { render };
