@ -- page.css: how page.html looks, in light and in dark surroundings. Takes no fields.
@ -- (A line that begins with an at sign is Lua: rules of CSS that do stand behind a comment.)
:root {
    color-scheme: light dark;
    --page: #fbfbf9; --panel: #ffffff; --ink: #1d2129; --soft: #5c6370; --line: #dcdfe4; --grid: #eceef1;
    --own: #0b62c4; --other: #a3acba;
    --product: #0b62c4; --activation: #d9822b; --update: #3f9c6b;
    --fma: #0b62c4; --l1: #3f9c6b; --l2: #b5860b; --l3: #c2410c; --latency: #8b3fb0;
}
/* dark */ @media (prefers-color-scheme: dark) {
    :root {
        --page: #14171c; --panel: #1c2027; --ink: #e4e7ec; --soft: #9aa3b2; --line: #343b47; --grid: #2a303a;
        --own: #5aa9ff; --other: #5d6778;
        --product: #5aa9ff; --activation: #f0a35a; --update: #62c393;
        --fma: #5aa9ff; --l1: #62c393; --l2: #e3c04d; --l3: #ff8a5c; --latency: #c990ee;
    }
}
* { box-sizing: border-box; }
body {
    margin: 0 auto; padding: 1.5rem clamp(0.8rem, 3vw, 2.5rem) 4rem; max-width: 84rem;
    background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; margin: 0 0 0.3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 0.3rem; }
h3 { font-size: 0.95rem; margin: 0; }
h4 { font-size: 0.9rem; margin: 1.2rem 0 0.4rem; }
p { margin: 0.2rem 0; max-width: 60rem; }
header p, section > p, small, .light { color: var(--soft); }
code, pre { font: 12.5px/1.5 ui-monospace, monospace; }
.machine code { overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
i { font-style: normal; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.8rem; margin: 1.2rem 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.7rem 0.9rem; }
.tile strong { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.tile:first-child strong { color: var(--own); }
.tile span, .tile small { display: block; line-height: 1.35; }
.groups { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); gap: 0.9rem; margin-top: 0.8rem; }
.group, details { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.8rem 1rem; }
.light { font-size: 0.85rem; margin-bottom: 0.4rem; }
.bar { display: grid; grid-template-columns: 11.5rem 1fr 7.6rem; gap: 0.7rem; align-items: center; min-height: 1.45rem; font-size: 0.85rem; }
.bar .value { font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar .note { grid-column: 2 / 4; color: var(--soft); }
.bar.own .code, .bar.own .value, tr.own td { font-weight: 600; }
.track { position: relative; display: block; height: 1.45rem; }
.track b { position: absolute; left: 0; top: 0.22rem; height: 1rem; min-width: 2px; background: var(--other); border-radius: 0 3px 3px 0; }
.own .track b, .team .track b { background: var(--own); }
.team .track b { opacity: 0.6; }
.track .grid { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--grid); }
.track .one { background: var(--soft); }
.track .least { position: absolute; top: 0.22rem; height: 1rem; width: 1px; background: var(--panel); }
.track .mark, .key-mark { width: 0; border: 0.32rem solid transparent; border-bottom: 0.5rem solid var(--activation); border-top: 0; }
.track .mark { position: absolute; bottom: -0.1rem; margin-left: -0.32rem; }
.key-mark { display: inline-block; }
.axis .tick { position: absolute; top: 0; white-space: nowrap; transform: translateX(-50%); color: var(--soft); font-size: 0.75rem; }
.axis .tick:first-child { transform: none; }
.axis .tick:last-child { transform: translateX(-100%); }
.left.note { color: var(--soft); white-space: normal; }
.scroll { overflow-x: auto; }
.roofline { display: block; width: 100%; min-width: 36rem; max-width: 62rem; height: auto; }
.roofline text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.roofline .grid { stroke: var(--grid); }
.roofline line.roof { stroke: var(--soft); stroke-width: 1.5; }
.roofline text.roof { fill: var(--ink); paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.roofline circle { stroke: var(--page); stroke-width: 1.2; fill-opacity: 0.9; }
circle.fma { fill: var(--fma); } circle.l1 { fill: var(--l1); } circle.l2 { fill: var(--l2); }
circle.l3 { fill: var(--l3); } circle.latency { fill: var(--latency); }
.dot, .legend i { display: inline-block; width: 0.7rem; height: 0.7rem; margin-right: 0.4rem; border-radius: 2px; }
.dot, .legend .dot { border-radius: 50%; }
.dot.fma { background: var(--fma); } .dot.l1 { background: var(--l1); } .dot.l2 { background: var(--l2); }
.dot.l3 { background: var(--l3); } .dot.latency { background: var(--latency); }
.product { background: var(--product); } .activation { background: var(--activation); } .update { background: var(--update); }
.legend { list-style: none; margin: 0.4rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; font-size: 0.85rem; }
.parts { display: flex; height: 1.5rem; border-radius: 4px; overflow: hidden; gap: 2px; }
details { margin: 0.7rem 0; }
summary { cursor: pointer; font-weight: 600; }
summary small { font-weight: 400; margin-left: 0.6rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 0.6rem 0 0; }
th, td { padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
.left { text-align: left; padding-left: 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 0 2rem; }
.beside > div { min-width: 0; }
pre { margin: 0; padding: 0.7rem; overflow-x: auto; background: var(--page); border: 1px solid var(--line); border-radius: 6px; }
/* narrow */ @media (max-width: 34rem) {
    .bar { grid-template-columns: 1fr auto; gap: 0 0.7rem; margin-bottom: 0.25rem; }
    .bar .code { grid-column: 1; } .bar .value { grid-column: 2; grid-row: 1; }
    .bar .track, .bar .note { grid-column: 1 / 3; grid-row: 2; }
    .bar.axis .code, .bar.axis .value { display: none; }
}
