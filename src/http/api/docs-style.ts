/** The look of the API's page: light and dark as the reader's system has it, and nothing from elsewhere. */
export const docsStyle = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1c2024, #e6e8eb); --quiet: light-dark(#60646c, #a0a6ae);
  --page: light-dark(#fcfcfd, #111315); --card: light-dark(#fff, #191b1e);
  --line: light-dark(#e0e3e8, #2e3338); --code: light-dark(#f2f4f7, #22262a);
  --link: light-dark(#0b5cad, #7cc0ff);
  --get: light-dark(#0b5cad, #7cc0ff); --post: light-dark(#18703c, #6fd598);
  --put: light-dark(#8a5300, #f0b45a); --patch: light-dark(#8a5300, #f0b45a);
  --delete: light-dark(#b3261e, #ff9b91);
  font: 16px/1.55 system-ui, sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); background: var(--page); }
a { color: var(--link); text-underline-offset: .15em; }
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; }
p code, li code, td code, .about code { background: var(--code); border-radius: 4px; padding: .1em .3em; }
.layout { display: grid; grid-template-columns: 16rem minmax(0, 1fr); max-width: 76rem; margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2rem 1rem 2rem 1.5rem; font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem .5rem; border-radius: 5px; color: var(--text); text-decoration: none; }
nav a:hover { background: var(--code); }
main { padding: 2rem 1.5rem 6rem; min-width: 0; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .75rem; scroll-margin-top: 1rem; }
h3 { font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; color: var(--quiet); margin: 1.4rem 0 .4rem; }
.lead { font-size: 1.05rem; max-width: 46rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; padding: 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; font-size: .925rem; }
.facts b { display: block; margin-bottom: .2rem; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
summary { cursor: pointer; display: grid; grid-template-columns: 4.5rem minmax(0, 1fr); gap: .1rem .5rem; padding: .65rem 1rem; list-style: none; align-items: baseline; }
summary::-webkit-details-marker { display: none; }
summary:hover { background: var(--code); border-radius: 8px; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.about { grid-column: 2; color: var(--quiet); font-size: .925rem; }
.method { font: 700 .8rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.GET { color: var(--get); } .POST { color: var(--post); } .PUT { color: var(--put); }
.PATCH { color: var(--patch); } .DELETE { color: var(--delete); }
.path { overflow-wrap: anywhere; }
.path i { font-style: normal; color: var(--quiet); }
.body { scroll-margin-top: 5rem; padding: .2rem 1rem 1.2rem; border-top: 1px solid var(--line); }
.body > p { max-width: 46rem; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; margin: .9rem 0 0; list-style: none; font-size: .85rem; color: var(--quiet); }
.chips li { border: 1px solid var(--line); border-radius: 99px; padding: .05rem .65rem; }
pre { margin: 0; padding: .8rem 1rem; background: var(--code); border-radius: 6px; overflow-x: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { text-align: left; padding: .35rem .9rem .35rem 0; vertical-align: top; border-top: 1px solid var(--line); }
tr:first-child td { border-top: 0; }
td:first-child { white-space: nowrap; } td:nth-child(2) { color: var(--quiet); min-width: 8rem; }
td:last-child { width: 60%; }
.must { color: var(--delete); }
@media (max-width: 56rem) {
  .layout { display: block; }
  nav { position: static; max-height: none; padding: 1rem 1.5rem 0; }
  nav ul { display: flex; flex-wrap: wrap; gap: .2rem; }
  main { padding: 1.5rem 1rem 4rem; }
  table, tbody, tr, td { display: block; }
  tr { border-top: 1px solid var(--line); padding: .5rem 0; }
  tr:first-child { border-top: 0; }
  td { border: 0; padding: 0; width: auto !important; }
  td:first-child, td:nth-child(2) { display: inline; margin-right: .6rem; }
}
`;
