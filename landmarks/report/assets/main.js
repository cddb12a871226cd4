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

/** A result that is not in the page is searched for in vain: so its key is seen, and why. */
function openLinked() {
  if (!location.hash.startsWith('#key=')) {
    return;
  }
  const result = linkedResult(location.hash);
  if (!result) {
    select({ search: linkParts(location.hash).key ?? '' });
  } else if (result !== detail.result) {
    openDetail(result);
  }
}
