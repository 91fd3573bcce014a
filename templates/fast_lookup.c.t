@ -- tanh by a table of cubics, for AVX-512: a look-up in 32 floats is one instruction there.
@ -- vec, inline, lanes: the target's
@ assert(lanes == 16)

/* tanh x for x >= 0 is c[0][k] + c[1][k] x + c[2][k] x^2 + c[3][k] x^3 in piece k of 32. 2 + 0.8 x
 * lies in [2, 8) for x < 7.5, where tanh becomes 1; the last bit of its exponent and the first four
 * of its mantissa are k. Minimax fits (Lawson's iteration), at most 7.9e-7 off; the first piece begins
 * with 0 and has a relative error of at most 5.0e-6. */
static const float @{vec}_tanh_cubics[4][32] __attribute__((aligned(64))) = {
    {
        0.0f, -0.000302581058f, -0.00343132974f, -0.0141772367f, -0.0348265097f, -0.0610355958f,
        -0.0829141214f, -0.0898142532f, -0.074671343f, -0.0357074589f, 0.0243957993f, 0.100323208f,
        0.185936287f, 0.275522888f, 0.364440441f, 0.449305207f, 0.562521636f, 0.689303458f,
        0.785236359f, 0.854715347f, 0.903441012f, 0.936773896f, 0.959126413f, 0.973870039f,
        0.983459473f, 0.98962146f, 0.993539214f, 0.996006787f, 0.997547925f, 0.998503208f,
        0.999091327f, 0.999451101f,
    },
    {
        1.00000501f, 1.00518036f, 1.03437054f, 1.10266137f, 1.2018863f, 1.3031013f,
        1.37386334f, 1.3934741f, 1.35762393f, 1.27478385f, 1.15949416f, 1.02695537f,
        0.889894128f, 0.757468998f, 0.635404348f, 0.526662707f, 0.39221409f, 0.256401449f,
        0.163929373f, 0.103059515f, 0.0639380068f, 0.0392393768f, 0.0238630082f, 0.0143986959f,
        0.0086286664f, 0.00513957953f, 0.00304476428f, 0.00179496151f, 0.00105348881f, 0.000615812547f,
        0.000358640216f, 0.0002081571f,
    },
    {
        -0.000471279141f, -0.030993754f, -0.122628443f, -0.267949641f, -0.427296013f, -0.557802022f,
        -0.634172618f, -0.652746022f, -0.624442697f, -0.565705597f, -0.491959244f, -0.414813012f,
        -0.341649652f, -0.276384205f, -0.22051616f, -0.174062133f, -0.120824322f, -0.0723041669f,
        -0.0425799675f, -0.0247981381f, -0.0143250357f, -0.00822326168f, -0.0046967119f, -0.00267121755f,
        -0.00151374668f, -0.000855115068f, -0.000481703464f, -0.000270673569f, -0.000151749919f, -8.49018907e-05f,
        -4.74121516e-05f, -2.64309401e-05f,
    },
    {
        -0.327499509f, -0.264779657f, -0.167938277f, -0.064386338f, 0.0211322978f, 0.0773143396f,
        0.104817539f, 0.110679492f, 0.103227802f, 0.0893385559f, 0.0736078471f, 0.0586346574f,
        0.0456126928f, 0.0348880775f, 0.0263628215f, 0.019746609f, 0.0127174342f, 0.00693646632f,
        0.00375033007f, 0.00201822398f, 0.00108338741f, 0.000580788241f, 0.000311129581f, 0.000166609054f,
        8.92004318e-05f, 4.77515787e-05f, 2.55613049e-05f, 1.36824756e-05f, 7.32384296e-06f, 3.92021138e-06f,
        2.09834957e-06f, 1.12316889e-06f,
    },
};

/* tanh(scale x); scale is 1 or 1/2. No division, and no clamp: what lies beyond the last piece is
 * replaced by 1 or -1 in the end. "Not greater or equal" takes NaN along, which stays NaN. */
@{inline} @{vec} @{vec}_tanh_scaled(@{vec} x, float scale)
{
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    const @{vec} size = _mm512_abs_ps(x);
    const __mmask16 inside = @{vec}_not_at_least(size, @{vec}_splat(7.5f / scale));
    const @{vec} place = @{vec}_fma(size, @{vec}_splat(0.8f * scale), @{vec}_splat(2.0f));
    typedef unsigned bits __attribute__((vector_size(64)));
    const __m512i piece = (__m512i)((bits)place >> 19); /* its low five bits */
@ for i = 0, 3 do
    const @{vec} low@{i} = @{vec}_load(@{vec}_tanh_cubics[@{i}]), high@{i} = @{vec}_load(@{vec}_tanh_cubics[@{i}] + 16);
    const @{vec} c@{i} = _mm512_permutex2var_ps(low@{i}, piece, high@{i});
@ end
    const @{vec} a = @{vec}_mul(size, @{vec}_splat(scale));
    const @{vec} value = @{vec}_fma(@{vec}_mul(a, a), @{vec}_fma(c3, a, c2), @{vec}_fma(c1, a, c0));
    /* 0xe4: the third operand chooses between the bits of the first and the second. */
    const __m512i x_bits = _mm512_castps_si512(x), one = _mm512_castps_si512(@{vec}_splat(1.0f));
    const __m512i end = _mm512_ternarylogic_epi32(x_bits, one, sign, 0xe4);
    return _mm512_castsi512_ps(
        _mm512_mask_ternarylogic_epi32(end, inside, _mm512_castps_si512(value), sign, 0xe4));
}
