// A file for the person, made in the page.

export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function downloadJson(name, value) {
  download(name, new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }));
}
