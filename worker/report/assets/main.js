// Main: everything is put into its place, and the result that the address names is opened.

fillSummary();
fillToolbar();
fillGallery();
fillDetail();
fillKeyboard();
select({});
openLinked();
window.addEventListener('hashchange', openLinked);
document.documentElement.dataset.ready = '';

function openLinked() {
  const result = location.hash.startsWith('#key=') ? linkedResult(location.hash) : undefined;
  if (result && result !== detail.result) {
    openDetail(result);
  }
}
