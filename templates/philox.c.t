@ -- philox.c: the random numbers of training: first values, the order of an epoch, dropout.
/* Philox4x32-10: ten rounds of products and exclusive ors make 128 random bits, in place of the counter c (Salmon,
 * Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; 2011). */
static void philox(uint32_t c[4], uint64_t seed)
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ key[0];
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ key[1];
        c[3] = (uint32_t)a;
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
}
