@ -- page_roofline.svg: the roofline of page.html. chart: see charts.roofline.
@ local p = chart.plot
@ local right, bottom = p.left + p.width, p.top + p.height
<div class="scroll"><svg class="roofline" viewBox="0 0 @{right + 24} @{bottom + 48}" role="img" aria-label="roofline">
@ for _, tick in ipairs(chart.x_ticks) do
<line class="grid" x1="@{tick.at}" y1="@{p.top}" x2="@{tick.at}" y2="@{bottom}"/>
@ if tick.text then
<text x="@{tick.at}" y="@{bottom + 16}" text-anchor="middle">@{tick.text}</text>
@ end
@ end
@ for _, tick in ipairs(chart.y_ticks) do
<line class="grid" x1="@{p.left}" y1="@{tick.at}" x2="@{right}" y2="@{tick.at}"/>
@ if tick.text then
<text x="@{p.left - 6}" y="@{tick.at}" dy="0.35em" text-anchor="end">@{tick.text}</text>
@ end
@ end
@ for _, roof in ipairs(chart.roofs) do
<line class="roof" x1="@{roof.x1}" y1="@{roof.y1}" x2="@{roof.x2}" y2="@{roof.y2}"><title>@{roof.text}</title></line>
@ end
<line class="roof" x1="@{chart.peak.x1}" y1="@{chart.peak.y}" x2="@{chart.peak.x2}" y2="@{chart.peak.y}"/>
@ for _, point in ipairs(chart.points) do
<a href="#p@{point.id}"><circle class="@{point.limit}" cx="@{point.x}" cy="@{point.y}" r="5"><title>@{point.text}</title></circle></a>
@ end
@ for _, point in ipairs(chart.points) do
@ if point.name then
<text class="roof" x="@{point.name_x}" y="@{point.name_y}" text-anchor="middle">@{point.name}</text>
@ end
@ end
@ for _, roof in ipairs(chart.roofs) do
@ if roof.named then
<text class="roof" x="@{roof.label_x}" y="@{roof.label_y}">@{roof.text}</text>
@ end
@ end
<text class="roof" x="@{chart.peak.x2}" y="@{chart.peak.y}" dy="-6" text-anchor="end">@{chart.peak.text}</text>
<text x="@{(p.left + right) // 2}" y="@{bottom + 38}" text-anchor="middle">FLOP a byte</text>
<text x="14" y="@{(p.top + bottom) // 2}" text-anchor="middle" transform="rotate(-90 14 @{(p.top + bottom) // 2})">GFLOP/s</text>
</svg></div>
<ul class="legend">
@ for _, limit in ipairs(chart.limits) do
<li><i class="dot @{limit.name}"></i>bound by @{limit.text}</li>
@ end
</ul>
