@ -- page.html: the results of `rnnc bench`, one page without scripts or anything from elsewhere.
@ -- title, machine, seconds, cpu: texts; origin: see origin.lua; threads: of a team, 1 without; cpus: theirs, or
@ -- false; tiles, bars, roofline (or false), details, headings: see page.lua and charts.lua. All texts are escaped.
@ assert(#tiles > 0 and #bars.groups == #details)
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="rnnc">
<title>rnnc bench: @{title}</title>
<style>
@ include("page.css", {})
</style>
</head>
<body>
<header>
<h1>rnnc bench: @{title}</h1>
<p>One thread on @{cpu}@{cpus and format(", %d on CPUs %s", threads, cpus) or ""}; @{seconds} s of samples for each network, all codes in turns. Medians, unless minima are named.</p>
<p class="machine">@{origin.cpu}: <code>@{machine}</code></p>
<p class="machine">rnnc @{origin.rnnc}; @{origin.compiler}: <code>@{origin.cc}</code></p>
<p class="machine"><code>@{origin.command}</code></p>
</header>

<section class="tiles">
@ for _, tile in ipairs(tiles) do
<div class="tile"><strong>@{tile.value}</strong><span>@{tile.text}</span><small>@{tile.note}</small></div>
@ end
</section>

<section>
<h2>Time of a call</h2>
<p>Length: how many times the speed of light, logarithmic, the same scale everywhere. The speed of light is the least that the machine's multiply-adds and loads allow@{threads > 1 and "; it is that of one core, also beside several threads" or ""}. The line in a bar is the minimum, <span class="key-mark"></span> what the cost model predicts.</p>
<div class="groups">
@ for _, group in ipairs(bars.groups) do
<article class="group">
<h3><a href="#p@{group.id}">@{group.title}</a></h3>
<p class="light">light @{group.light}@{group.predicted_text and format(", predicted %s", group.predicted_text) or ""}</p>
@ for _, bar in ipairs(group.bars) do
<div class="bar @{bar.own}">
<span class="code">@{bar.code}</span>
@ if bar.width then
<span class="track">
@ for _, tick in ipairs(bars.ticks) do
<i class="@{tick.name}" style="left:@{tick.at}%"></i>
@ end
<b style="width:@{bar.width}%" title="@{bar.times} the speed of light @{bar.note}"></b><i class="least" style="left:@{bar.least}%"></i>
@ if bar.own == "own" and group.predicted then
<i class="mark" style="left:@{group.predicted}%" title="predicted @{group.predicted_text}"></i>
@ end
</span>
<span class="value">@{bar.text} <small>@{bar.times}</small></span>
@ else
<span class="note">@{bar.note}</span>
@ end
</div>
@ end
<div class="bar axis"><span class="code"></span><span class="track">
@ for _, tick in ipairs(bars.ticks) do
<i class="tick" style="left:@{tick.at}%">@{tick.text or ""}</i>
@ end
</span><span class="value"></span></div>
</article>
@ end
</div>
</section>

@ if roofline then
<section>
<h2>Roofline</h2>
<p>Every kernel of the specialised code: FLOPs for each byte of weights and values that it reads, and the rate that it reaches. A kernel's time is estimated: of the measured time of all products of its network it has the share that the least time which it needs on this machine has. Colours name the resource that binds it by the plan.</p>
@ include("page_roofline.svg", { chart = roofline })
</section>

@ end
<section>
<h2>Networks</h2>
<p>The time of a step is split by measuring the network twice more: without its activations, and with nothing left of the update but the sums that it reads.</p>
@ for _, detail in ipairs(details) do
<details id="p@{detail.id}"@{detail.open and " open" or ""}>
<summary>@{detail.title} <small>@{detail.step} a step, light @{detail.light}@{detail.predicted and format(", predicted %s", detail.predicted) or ""} a call</small></summary>
<div class="scroll"><table>
<tr><th class="left">code</th>
@ for _, heading in ipairs(headings) do
<th>@{heading}</th>
@ end
<th class="left">variant</th></tr>
@ for i, row in ipairs(detail.rows) do
<tr@{i == 1 and " class=\"own\"" or ""}><td class="left">@{row.code}</td>
@ if row.measured then
@ for _, cell in ipairs(row.cells) do
<td>@{cell}</td>
@ end
<td class="left">@{row.note}</td></tr>
@ else
<td class="left note" colspan="@{#row.cells + 1}">@{row.note}</td></tr>
@ end
@ end
</table></div>
<div class="beside">
<div>
@ if detail.parts then
<h4>A step: @{detail.step}</h4>
<div class="parts">
@ for _, part in ipairs(detail.parts) do
<b class="@{part.name}" style="width:@{part.width}%" title="@{part.text}: @{part.value}"></b>
@ end
</div>
<ul class="legend">
@ for _, part in ipairs(detail.parts) do
<li><i class="@{part.name}"></i>@{part.text} @{part.value} <small>@{part.percent}</small></li>
@ end
</ul>
@ end
<h4>Kernels</h4>
<div class="scroll"><table>
<tr><th class="left">kernel</th><th class="left">bound by</th><th>FLOP/byte</th><th>GFLOP/s</th><th>of the products</th></tr>
@ for _, kernel in ipairs(detail.kernels) do
<tr><td class="left">@{kernel.fn}</td><td class="left"><i class="dot @{kernel.name}"></i>@{kernel.limit}</td><td>@{kernel.intensity}</td><td>@{kernel.gflops}</td><td>@{kernel.share}</td></tr>
@ end
</table></div>
</div>
<div><h4>Plan</h4><pre>@{detail.plan}</pre>
@ if detail.division then
<h4>Plan for @{threads} threads</h4><pre>@{detail.division}</pre>
@ end
</div>
</div>
</details>
@ end
</section>
</body>
</html>
