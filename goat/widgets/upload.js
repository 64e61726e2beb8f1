// One file from the browser to the kernel, in acknowledged pieces.

const PIECE = 1 << 20;
const PATIENCE_MS = 20000;

function render({ model, el }) {
  el.classList.add("goat-upload");
  const input = make("input", { type: "file", "aria-label": "Choose a file of this computer" });
  const bar = make("progress", { max: "1", value: "0", "aria-label": "Upload" });
  const said = make("span", { class: "goat-said", role: "status", "aria-live": "polite" });
  bar.hidden = true;
  el.append(input, bar, said);
  const job = { file: null, timer: 0 };
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
    job.file = file;
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
      const piece = await file.slice(content.next, content.next + PIECE).arrayBuffer();
      model.send({ at: content.next }, undefined, [piece]);
    }
  }
  model.on("msg:custom", hear);
  return () => model.off("msg:custom", hear);
}

export default { render };
