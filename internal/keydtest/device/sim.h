// SPDX-License-Identifier: Apache-2.0
//
// What both simulated devices share: keys from files, faults that a test switches on, SM2 by libcrypto. A device for tests: its
// nonces are sums of two out of a table, so that signing takes as long as in good software and not as long as in libcrypto.
// No key that means anything may be used with it.

#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The file "faults" in the device's folder, mapped: words that the test writes, and some that it reads.
enum fault {
	GONE,           // every call fails as if the device were unplugged; 2: with the code of a device that is faulty, or of a token that is absent
	DELAY,          // microseconds that a signature or decryption takes, and each part of a message that is signed
	SESSION_LIMIT,  // sessions at a time; 0: any number
	WRONG_KEY,      // signatures are made with another key
	CRASH,          // the next signature ends the process
	HANG,           // signatures do not return
	REMOVED,        // keys are not there any more; 2: of an sdf device, those for encryption
	VENDOR_ERROR,   // so many signatures fail with a vendor's own code
	FIXED_RANDOM,   // 1: random bytes are all the same; 2: they are the same in each call
	LOST_RIGHTS,    // so many signatures fail since the right to use the key is gone
	WRONG_PLAIN,    // decryption gives something else; 2: something shorter
	PIN_FAILURES,   // read: PINs refused
	SIGNATURES,     // read: signatures made
	IN_FLIGHT,      // read: signatures and decryptions under way
	MOST_IN_FLIGHT, // read: the most that were
	DECRYPTIONS,    // read: decryptions tried
	PIN_STATE,      // 1: the token says that one more wrong PIN locks it; 2: locked, and says so; 3: locked, and does not say so
	SESSIONS_LOST,  // so many times, the next use of a session finds that the device has closed all of them
	REPLACED,       // each key has the place and the name of the one before
	NO_RANDOM,      // there is no random generator
	PIN_CODE,       // what a wrong PIN is answered with instead of CKR_PIN_INCORRECT or SDR_PRKRERR
	OWN_CODES,      // sdf: a key that does not exist has a code of the vendor's own
	NO_RIGHTS,      // keys need no PIN; SDF_GetPrivateKeyAccessRight is not supported
	BITS,           // sdf: what public keys have as their length instead of 256
	LEFT,           // sdf: numbers are in the first bytes of their arrays
	HASHES,         // sdf: what is given to be signed is hashed before
	LOST_CALL,      // the call of this number from now on fails as if the device were unplugged
	NOT_FOR,        // pkcs11: what keys are not for, 1 signing, 2 decrypting, 3 both
	TWIN,           // pkcs11: there are two tokens with the same label
	FROZEN,         // pkcs11: which tokens there are is found out once after C_Initialize
	TEXT_CODE,      // what a wrong ciphertext is answered with instead of CKR_ENCRYPTED_DATA_INVALID or SDR_ENCDATAERR
	LABEL_CODE,     // pkcs11: what the first key's label is answered with
	MORE_KEYS,      // pkcs11: how often the first private key is found again, before all of them
	FAULTS
};

static _Atomic uint32_t *faults;
static char folder[512];

#define MAX_KEYS 256

typedef struct {
	char label[64]; // pkcs11
	unsigned char id[32];
	size_t id_len;
	unsigned index; // sdf
	char usage[16];
	char pin[64];
	BIGNUM *d, *inverse; // inverse: 1/(1+d) mod n
	unsigned char x[32], y[32];
} sim_key;

static sim_key keys[MAX_KEYS];
static int key_count;

static EC_GROUP *group;
static const BIGNUM *order;
static BIGNUM *prime;

#define NONCES 256
static struct {
	BIGNUM *k, *x, *y;
} nonces[NONCES];

// take_fault counts a fault down, and reports whether it was set.
static int take_fault(enum fault f) {
	uint32_t n = atomic_load(&faults[f]);
	while (n != 0)
		if (atomic_compare_exchange_weak(&faults[f], &n, n - 1))
			return 1;
	return 0;
}

// or_own returns the code that a test has set for a fault, or the usual one.
static uint32_t or_own(enum fault f, uint32_t usual) {
	uint32_t own = atomic_load(&faults[f]);
	return own != 0 ? own : usual;
}

// lost_call reports whether this is the call that finds the device away.
static int lost_call(void) {
	uint32_t n = atomic_load(&faults[LOST_CALL]);
	while (n != 0)
		if (atomic_compare_exchange_weak(&faults[LOST_CALL], &n, n - 1))
			return n == 1;
	return 0;
}

// holder returns the key that is in the place of another.
static const sim_key *holder(const sim_key *key) {
	return atomic_load(&faults[REPLACED]) ? &keys[(key - keys + 1) % key_count] : key;
}

static void point_of(const BIGNUM *k, unsigned char *x, unsigned char *y, BN_CTX *ctx) {
	EC_POINT *p = EC_POINT_new(group);
	BIGNUM *bx = BN_new(), *by = BN_new();
	EC_POINT_mul(group, p, k, NULL, NULL, ctx);
	EC_POINT_get_affine_coordinates(group, p, bx, by, ctx);
	BN_bn2binpad(bx, x, 32);
	BN_bn2binpad(by, y, 32);
	BN_free(bx);
	BN_free(by);
	EC_POINT_free(p);
}

static void set_scalar(sim_key *key, const char *hex, BN_CTX *ctx) {
	BN_hex2bn(&key->d, hex);
	BIGNUM *t = BN_dup(key->d);
	BN_add_word(t, 1);
	key->inverse = BN_mod_inverse(NULL, t, order, ctx);
	BN_free(t);
	point_of(key->d, key->x, key->y, ctx);
}

static void make_nonces(BN_CTX *ctx) {
	unsigned char x[32], y[32];
	for (int i = 0; i < NONCES; i++) {
		nonces[i].k = BN_new();
		BN_priv_rand_range(nonces[i].k, order);
		point_of(nonces[i].k, x, y, ctx);
		nonces[i].x = BN_bin2bn(x, 32, NULL);
		nonces[i].y = BN_bin2bn(y, 32, NULL);
	}
}

// sim_start reads the folder that the environment names: the file "keys", one key in a line, by parse; 0 on success.
static int sim_start(void (*parse)(char *line, BN_CTX *ctx)) {
	const char *dir = getenv("SIMULATED_DEVICE");
	if (dir == NULL)
		return -1;
	snprintf(folder, sizeof folder, "%s", dir);
	char path[600];
	snprintf(path, sizeof path, "%s/faults", folder);
	int fd = open(path, O_RDWR);
	if (fd < 0)
		return -1;
	faults = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (faults == MAP_FAILED)
		return -1;
	atomic_store(&faults[IN_FLIGHT], 0); // of a process that was killed
	BN_CTX *ctx = BN_CTX_new();
	group = EC_GROUP_new_by_curve_name(NID_sm2);
	order = EC_GROUP_get0_order(group);
	prime = BN_new();
	EC_GROUP_get_curve(group, prime, NULL, NULL, ctx);
	make_nonces(ctx);
	snprintf(path, sizeof path, "%s/keys", folder);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return -1;
	char line[512];
	while (key_count < MAX_KEYS && fgets(line, sizeof line, f) != NULL)
		parse(line, ctx);
	fclose(f);
	BN_CTX_free(ctx);
	return 0;
}

// begin and end frame an operation with a private key.
static void begin(void) {
	uint32_t now = atomic_fetch_add(&faults[IN_FLIGHT], 1) + 1, most = atomic_load(&faults[MOST_IN_FLIGHT]);
	while (now > most && !atomic_compare_exchange_weak(&faults[MOST_IN_FLIGHT], &most, now))
		;
	if (atomic_load(&faults[CRASH]))
		abort();
	while (atomic_load(&faults[HANG]))
		usleep(10000);
	uint32_t delay = atomic_load(&faults[DELAY]);
	if (delay != 0)
		usleep(delay);
}

static void end(void) { atomic_fetch_sub(&faults[IN_FLIGHT], 1); }

// sum_x sets x to the first coordinate of the sum of two of the table's points.
static void sum_x(BIGNUM *x, int i, int j, BN_CTX *ctx) {
	BIGNUM *a = BN_CTX_get(ctx), *b = BN_CTX_get(ctx);
	BN_mod_sub(a, nonces[j].x, nonces[i].x, prime, ctx);
	BN_mod_inverse(a, a, prime, ctx);
	BN_mod_sub(b, nonces[j].y, nonces[i].y, prime, ctx);
	BN_mod_mul(a, a, b, prime, ctx);
	BN_mod_sqr(x, a, prime, ctx);
	BN_mod_sub(x, x, nonces[i].x, prime, ctx);
	BN_mod_sub(x, x, nonces[j].x, prime, ctx);
}

// sm2_sign signs e: r = e + x(kG), s = (k - r d) / (1 + d) mod n (GB/T 32918.2, section 6.1).
static void sm2_sign(const sim_key *key, const unsigned char e[32], unsigned char r_out[32], unsigned char s_out[32]) {
	static __thread BN_CTX *ctx;
	if (ctx == NULL)
		ctx = BN_CTX_new();
	key = holder(key);
	if (atomic_load(&faults[WRONG_KEY]))
		key = &keys[(key - keys + 1) % key_count];
	BN_CTX_start(ctx);
	BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *k = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);
	for (;;) {
		unsigned char at[2];
		RAND_bytes(at, 2);
		if (at[0] == at[1])
			continue;
		sum_x(r, at[0], at[1], ctx);
		BN_mod_add(k, nonces[at[0]].k, nonces[at[1]].k, order, ctx);
		BN_bin2bn(e, 32, t);
		BN_add(r, r, t);
		BN_nnmod(r, r, order, ctx);
		BN_mod_mul(t, r, key->d, order, ctx);
		BN_mod_sub(s, k, t, order, ctx);
		BN_mod_mul(s, s, key->inverse, order, ctx);
		BN_add(t, r, k);
		if (!BN_is_zero(r) && !BN_is_zero(s) && BN_cmp(t, order) != 0)
			break;
	}
	BN_bn2binpad(r, r_out, 32);
	BN_bn2binpad(s, s_out, 32);
	BN_CTX_end(ctx);
	atomic_fetch_add(&faults[SIGNATURES], 1);
}

// sm3 hashes up to three parts.
static void sm3(unsigned char out[32], const void *a, size_t a_len, const void *b, size_t b_len, const void *c, size_t c_len) {
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_DigestInit_ex(md, EVP_sm3(), NULL);
	EVP_DigestUpdate(md, a, a_len);
	EVP_DigestUpdate(md, b, b_len);
	EVP_DigestUpdate(md, c, c_len);
	EVP_DigestFinal_ex(md, out, NULL);
	EVP_MD_CTX_free(md);
}

// sm2_decrypt decrypts (GB/T 32918.4, section 7.1); 0 on success.
static int sm2_decrypt(const sim_key *key, const unsigned char x[32], const unsigned char y[32], const unsigned char hash[32],
                       const unsigned char *text, size_t len, unsigned char *plain) {
	atomic_fetch_add(&faults[DECRYPTIONS], 1);
	key = holder(key);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *bx = BN_bin2bn(x, 32, NULL), *by = BN_bin2bn(y, 32, NULL);
	EC_POINT *p = EC_POINT_new(group);
	int ok = EC_POINT_set_affine_coordinates(group, p, bx, by, ctx) && EC_POINT_mul(group, p, NULL, p, key->d, ctx) &&
	         EC_POINT_get_affine_coordinates(group, p, bx, by, ctx);
	if (ok) {
		unsigned char shared[64], block[32], check[32];
		BN_bn2binpad(bx, shared, 32);
		BN_bn2binpad(by, shared + 32, 32);
		for (size_t done = 0; done < len; done += 32) {
			uint32_t n = (uint32_t)(done / 32 + 1);
			unsigned char counter[4] = {n >> 24, n >> 16, n >> 8, n};
			sm3(block, shared, 64, counter, 4, "", 0);
			for (size_t i = done; i < len && i < done + 32; i++)
				plain[i] = text[i] ^ block[i - done];
		}
		sm3(check, shared, 32, plain, len, shared + 32, 32);
		ok = CRYPTO_memcmp(check, hash, 32) == 0;
		if (ok && atomic_load(&faults[WRONG_PLAIN]) == 1)
			plain[0] ^= 1;
	}
	EC_POINT_free(p);
	BN_free(bx);
	BN_free(by);
	BN_CTX_free(ctx);
	return ok ? 0 : -1;
}

static void sim_random(unsigned char *out, size_t len) {
	switch (atomic_load(&faults[FIXED_RANDOM])) {
	case 0:
		RAND_bytes(out, (int)len);
		break;
	case 1:
		memset(out, 7, len);
		break;
	default:
		for (size_t i = 0; i < len; i++)
			out[i] = (unsigned char)(i * 37 + 11);
	}
}
