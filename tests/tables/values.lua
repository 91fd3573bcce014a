-- values: every field of every form of a spec, by the table of fields: values at its bounds are read and those beyond
-- are not, and nothing of another type is; defaults are PyTorch's; and what a spec may call ends where it says.
package.path = "compiler/?.lua;" .. package.path
local support = require "tests.compiler.support"
local constructors = require "spec.constructors"
local fields = require "spec.fields"
local forms = require "spec.forms"
local readers = require "spec.readers"

local tried = 0

local function expect(row, value, wanted)
    tried = tried + 1
    local shown = row.name .. " = " .. tostring(value)
    local ok, read = pcall(readers[row.type].read, value, row)
    assert(ok, shown .. ": " .. tostring(read))
    assert((read ~= nil) == wanted, shown .. " is read as " .. tostring(read))
end

-- What is no value of a type, beside what is none of any.
local nothing <const> = { math.huge, -math.huge, 0 / 0, function() end, setmetatable({}, { kind = "x" }) }
local others <const> = {
    integer = { 1.5, "3", true, {} }, size = { 1.5, "3", "some", true, {}, -1 }, number = { "3", true, {} },
    boolean = { 0, 1, "true", "false", {} }, channels = { 1.5, "3", 0, "true", {} },
    factor = { "3", "true", false, {} },
    text = { 3, true, {}, "a\nb", "a\0b", "\127" }, choice = { 3, true, {}, "none of these", "" },
    choices = { 3, true, {}, "none of these", "" }, layers = { 3, true, "dense", {} },
    form = { 3, true, "adam", {} },
    names = { 3, true, {}, { 3 }, { x = "a" }, { [2] = "a" } },
    class_weights = { 3, true, "1", {}, { 0, 0 }, { -1, 2 }, { 1, "2" }, { 1, 1e7 }, { 1, 0 / 0 }, { x = 1 },
                      { [2] = 1 } },
    bytes = { 3, true, {}, "", "aa" }, split = { 0, 1, -0.5, 1.5, true, {}, "", "a\nb" },
    renames = { 3, true, "a", { "a", "b" }, { { "a" } }, { { "a", 3 } }, { { "%", "a" } }, { { "a", "%" } },
                { { "a", "%q" } }, { x = { "a", "b" } }, { [2] = { "a", "b" } } },
}
local fine <const> = { boolean = { true, false }, channels = { true, false }, factor = { true },
                       text = { "", "a b", "\u{e9}" }, names = { "a", { "a", "b" } },
                       bytes = { "a", "abc" },
                       class_weights = { { 1 }, { 0, 2.5, 1e6 } }, split = { 0.5, "a.npz" },
                       size = { "any" }, renames = { {}, { { "^a", "%1" } } } }

local all = { fields.rnn, fields.model, fields.training }
for _, list in ipairs { fields.layer, fields.part } do
    for _, form in pairs(list) do all[#all + 1] = form end
end

support.case("bounds and types", function()
    for _, form in ipairs(all) do
        for _, row in ipairs(form) do
            for _, list in ipairs { nothing, others[row.type] or error("no values of type " .. row.type) } do
                for _, value in ipairs(list) do expect(row, value, false) end
            end
            for _, value in ipairs(fine[row.type] or {}) do expect(row, value, true) end
            if row.least then
                local next_to = row.type == "number" and 1e-3 or row.type == "factor" and 1e-3 or 1
                for _, value in ipairs { row.least, row.most } do expect(row, value, true) end
                for _, value in ipairs { row.least - next_to, row.most + next_to } do expect(row, value, false) end
            end
            local choices = type(row.choices) == "function" and row.choices() or row.choices
            for _, name in ipairs(choices or {}) do
                expect(row, name, true)
                expect(row, name .. "x", false)
                expect(row, name:upper(), false)
                if row.type == "choices" then expect(row, { name, name }, false) end
            end
        end
    end
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    expect({ name = "bytes", type = "bytes" }, table.concat(bytes), true)
    local pairs_of = {}
    for i = 1, 101 do pairs_of[i] = { "a", "b" } end
    expect({ name = "101 pairs", type = "renames" }, pairs_of, false)
    expect({ name = "long", type = "renames" }, { { ("a"):rep(201), "" } }, false)
    expect({ name = "long", type = "renames" }, { { ("a"):rep(200), "" } }, true)
    assert(tried > 1500, tried)
end)

-- The defaults of torch.nn, torch.optim and torch.optim.lr_scheduler.
local defaults <const> = {
    sgd = { momentum = 0, nesterov = false, weight_decay = 0 },
    adam = { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0 },
    adamw = { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 1e-2 },
    rmsprop = { lr = 1e-2, alpha = 0.99, eps = 1e-8, momentum = 0, weight_decay = 0 },
    step = { factor = 0.1 }, cosine = { least = 0 }, plateau = { factor = 0.1, patience = 10, least = 0 },
    rnn = { num_layers = 1, nonlinearity = "tanh", bias = true, batch_first = false, dropout = 0,
            bidirectional = false, proj_size = 0 },
    dense = { bias = true },
}

support.case("defaults are PyTorch's", function()
    local given <const> = { rnn = { input_size = 2, hidden_size = 3, name = "a" }, dense = { units = 2 },
                            step = { every = 2 } }
    for form, wanted in pairs(defaults) do
        local rows = fields.part[form] or form == "rnn" and fields.rnn or fields.layer[form]
        local report = forms.reporter "x.lua"
        local read = rows and forms.read(rows, given[form] or {}, { line = 1, fields = {} },
            { file = "x.lua", options = {}, label = "", form = form }, report) or {}
        report.raise()
        for name, value in pairs(wanted) do
            assert(read[name] == value, string.format("%s of %s is %s", name, form, tostring(read[name])))
        end
    end
end)

-- The environment of a spec: it changes what texts can do, which is undone behind it.
local function of_a_spec(run)
    local texts = getmetatable ""
    local before = texts.__index
    local environment = assert(loadfile "compiler/spec/sandbox.lua")({}, constructors.rows)
    local ok, message = pcall(run, environment)
    texts.__index = before
    if not ok then error(message, 0) end
end

support.case("what a spec may call ends where it says", function()
    of_a_spec(function(spec)
        local count, least = 65536, 1000
        local function allowed(want, f, ...)
            local ok, message = pcall(f, ...)
            assert(ok == want, tostring(message))
        end
        local rep, format, table_of = spec.string.rep, spec.string.format, {}
        allowed(true, rep, "a", count)
        allowed(false, rep, "a", count + 1)
        allowed(true, rep, "ab", count // 4, "cd")
        allowed(false, rep, "ab", count // 4 + 1, "cd")
        allowed(false, rep, "", count // 4 + 1, "abcd")
        allowed(true, rep, "", count)
        allowed(false, rep, "", count + 1)
        allowed(true, rep, "ab", -5)
        allowed(false, rep, "ab", 1.5)
        allowed(true, format, rep("a", least))
        allowed(false, format, rep("a", least + 1))
        allowed(false, format, "%p", 3)
        allowed(false, format, "%s", {})
        allowed(true, format, "%%p %s", 3)
        for i = 1, least + 1 do table_of[i] = "a" end
        allowed(false, spec.table.concat, table_of)
        allowed(true, spec.table.concat, table_of, "", 2)
        allowed(false, spec.table.unpack, table_of, 1, 201)
        allowed(true, spec.table.unpack, table_of, 1, 200)
    end)
end)

support.finish()
