@ -- NAME.hpp: the functions of NAME.h for C++17, with memory that looks after itself.
@ local weights, known = not p.built_in, p.batch ~= "any"
@ local element = p.tokens and "std::int32_t" or "float"
@ -- The states among the parameters, with their defaults and without, and as arguments.
@ local given, taken, handed = "", "", ""
@ if #p.states > 0 then
@     taken = format(", const %s_states *from, %s_states *to", p.name, p.name)
@     given, handed = taken:gsub("(%*%w+)", "%1 = nullptr"), ", from, to"
@ end
@ local head_of = known and "" or "std::size_t batch, "
@ local row_in, batch = p.input, p.batch == "any" and "batch" or tostring(p.batch)
@ local once = p.last_step
@ -- Behind it stand nulls where a caller gives no state.
@ local from, to = {}, {}
@ for i, s in ipairs(p.states) do
@     from[i] = format("from ? from->%s.data() : nullptr", s)
@     to[i] = format("to ? to->%s.data() : nullptr", s)
@ end
@ local function call(lengths)
@     local list = { weights and "weights_" or nil }
@     if p.steps == "any" then list[#list + 1] = "steps" end
@     if not known then list[#list + 1] = "batch" end
@     list[#list + 1] = "x.data()"
@     if lengths then list[#list + 1] = "lengths.data()" end
@     for _, word in ipairs(from) do list[#list + 1] = word end
@     list[#list + 1] = "y.data()"
@     for _, word in ipairs(to) do list[#list + 1] = word end
@     list[#list + 1] = "workspace_.data()"
@     return concat(list, ",\n            ")
@ end
@{head}
#ifndef @{p.name}_HPP
#define @{p.name}_HPP

#include "@{p.name}.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

/* A view of values that lie behind each other: of an array, a std::vector, a std::array, a std::span. */
template <class T> class @{p.name}_span {
public:
    constexpr @{p.name}_span() noexcept = default;
    constexpr @{p.name}_span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <class C, class = std::enable_if_t<
                           !std::is_same_v<std::decay_t<C>, @{p.name}_span>
                           && std::is_convertible_v<decltype(std::data(std::declval<C &>())), T *>>>
    constexpr @{p.name}_span(C &&values) noexcept : data_(std::data(values)), size_(std::size(values)) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};
@ if #p.states > 0 then

/* The states of a batch as @{p.name}.h has them; zero behind the first `resize`. */
struct @{p.name}_states {
@ for _, s in ipairs(p.states) do
    std::vector<float> @{s}; /* @{state_shape(s)} */
@ end

    void resize(std::size_t batch)
    {
@ for _, s in ipairs(p.states) do
        @{s}.resize(batch * @{p.upper}_@{upper(s)}_SIZE);
@ end
    }
};
@ end

/* Whole sequences. The workspace grows with the longest call and is given back at the end; a call that needs no more
 * allocates nothing. One object serves one thread at a time. */
class @{p.name}_network {
public:
@ if weights then
    /* weights: packed, @{p.upper}_WEIGHTS_COUNT floats that have to stay. */
    explicit @{p.name}_network(const float *weights) noexcept : weights_(weights) {}

@ end
    /* x is (@{x_shape}@{p.tokens and "" or ", " .. row_in}) and y (@{y_shape}, @{p.output}); their sizes tell seq_len.
     * RNNC_ERR_ARGUMENT: also views@{#p.states > 0 and " and states" or ""} of sizes that do not fit each other;
     * else as @{p.name}_forward.
     * Throws std::bad_alloc if there is no memory for the workspace. */
    [[nodiscard]] rnnc_status forward(@{head_of}@{p.name}_span<const @{element}> x,
        @{p.name}_span<float> y@{given})
    {
        std::size_t steps = 0;
        const rnnc_status status = prepare(@{known and "" or "batch, "}x.size(), y.size(), steps@{handed});
        if (status != RNNC_OK) return status;
        return @{p.name}_forward(
            @{call(false)});
    }
@ if p.lengths then

    /* The same for sequences of different lengths, one for each. */
    [[nodiscard]] rnnc_status forward_lengths(@{head_of}@{p.name}_span<const @{element}> x,
        @{p.name}_span<const std::size_t> lengths,
        @{p.name}_span<float> y@{given})
    {
        std::size_t steps = 0;
        if (lengths.size() != @{batch}) return RNNC_ERR_ARGUMENT;
        const rnnc_status status = prepare(@{known and "" or "batch, "}x.size(), y.size(), steps@{handed});
        if (status != RNNC_OK) return status;
        return @{p.name}_forward_lengths(
            @{call(true)});
    }
@ end

private:
    /* The steps of a call, and a workspace for it. */
    rnnc_status prepare(@{head_of}std::size_t x_size, std::size_t y_size,
        std::size_t &steps@{taken})
    {
@ if not known then
        if (batch == 0) return RNNC_ERR_ARGUMENT;
@ end
        const std::size_t row = @{times(batch, row_in)};
        steps = x_size / row;
        if (x_size % row != 0 || y_size != @{times(once and 1 or "steps", batch, p.output)}) return RNNC_ERR_ARGUMENT;
@ for _, s in ipairs(p.states) do
        if (from && from->@{s}.size() != @{times(batch, p.state_counts[s])}) return RNNC_ERR_ARGUMENT;
@ end
@ if p.steps ~= "any" then
        if (steps != @{p.steps}) return RNNC_ERR_ARGUMENT;
@ end
        const std::size_t bytes = @{p.name}_workspace_size(steps, @{batch});
        if (bytes == 0) return RNNC_ERR_OVERFLOW;
        if (workspace_.size() < bytes) workspace_.resize(bytes);
@ if #p.states > 0 then
        if (to) to->resize(@{batch});
@ end
        return RNNC_OK;
    }

@ if weights then
    const float *weights_;
@ end
    std::vector<unsigned char> workspace_;
};
@ if p.streaming then
@ local w = weights and "weights_, " or ""

/* One stream of @{p.batch} sequence(s), from step to step and from block to block. A copy branches off. Nothing here
 * allocates, throws or waits: it may run on a thread of real time. */
class @{p.name}_stream {
public:
    static constexpr std::size_t inputs = @{p.batch * row_in};  /* values of x for a step */
    static constexpr std::size_t outputs = @{p.batch * p.output}; /* and of y */

@ if weights then
    /* weights: packed, @{p.upper}_WEIGHTS_COUNT floats that have to stay. */
    explicit @{p.name}_stream(const float *weights) noexcept : weights_(weights) { reset(); }
@ else
    @{p.name}_stream() noexcept { reset(); }
@ end

    /* The state before the first step. */
    void reset() noexcept { @{p.name}_state_reset(@{p.first and w or ""}&state_); }

    /* One step. RNNC_ERR_ARGUMENT: also views of other sizes; else as @{p.name}_step. */
    [[nodiscard]] rnnc_status step(@{p.name}_span<const @{element}> x, @{p.name}_span<float> y) noexcept
    {
        if (x.size() != inputs || y.size() != outputs) return RNNC_ERR_ARGUMENT;
        return @{p.name}_step(@{w}&state_, x.data(), y.data());
    }

    /* A block of steps one behind the other@{p.in_place and ", in place too" or ""}.
     * RNNC_ERR_ARGUMENT: also views of sizes that do not fit each other; else as @{p.name}_process. */
    [[nodiscard]] rnnc_status process(@{p.name}_span<const @{element}> x, @{p.name}_span<float> y) noexcept
    {
        const std::size_t steps = x.size() / inputs;
        if (x.size() % inputs != 0 || y.size() % outputs != 0 || y.size() / outputs != steps) return RNNC_ERR_ARGUMENT;
        return @{p.name}_process(@{w}&state_, steps, x.data(), y.data());
    }
@ for _, s in ipairs(p.states) do

    /* @{state_shape(s)} */
    @{p.name}_span<float> @{s}() noexcept { return state_.@{s}; }
@ end

private:
@ if weights then
    const float *weights_;
@ end
    @{p.name}_state state_;
};
@ end

#endif
