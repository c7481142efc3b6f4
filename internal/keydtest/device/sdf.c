// SPDX-License-Identifier: Apache-2.0
//
// A simulated device with the interface of GM/T 0018. A line of its file "keys": index, sign or encrypt, scalar in hex, PIN.

#include "sim.h"

#define COMMFAIL 0x01000003
#define OPENSESSION 0x01000006
#define PARDENY 0x01000007
#define KEYNOTEXIST 0x01000008
#define ENCDATAERR 0x01000016
#define PRKRERR 0x01000018
#define INARGERR 0x0100001D
#define VENDOR 0x02000123
#define VENDOR_LOCKED 0x02000200
#define SGD_SM2_3 0x00020800

typedef struct {
	unsigned bits;
	unsigned char x[64], y[64];
} public_key;

typedef struct {
	unsigned char r[64], s[64];
} signature;

typedef struct {
	unsigned char x[64], y[64], hash[32];
	unsigned len;
	unsigned char text[];
} ciphertext;

#define MAX_SESSIONS 4096

typedef struct {
	int open;
	unsigned char right[MAX_KEYS]; // by place in keys
} session;

static session sessions[MAX_SESSIONS];
static int open_sessions;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static int started;

static void parse(char *line, BN_CTX *ctx) {
	char scalar[80];
	sim_key *k = &keys[key_count];
	if (sscanf(line, "%u %15s %79s %63s", &k->index, k->usage, scalar, k->pin) == 4) {
		set_scalar(k, scalar, ctx);
		key_count++;
	}
}

static sim_key *find(unsigned index, const char *usage) {
	if (atomic_load(&faults[REMOVED]))
		return NULL;
	for (int i = 0; i < key_count; i++)
		if (keys[i].index == index && strcmp(keys[i].usage, usage) == 0)
			return &keys[i];
	return NULL;
}

int SDF_OpenDevice(void **device) {
	pthread_mutex_lock(&mu);
	int failed = !started && sim_start(parse) != 0;
	started = started || !failed;
	pthread_mutex_unlock(&mu);
	if (failed || atomic_load(&faults[GONE]))
		return COMMFAIL;
	*device = &sessions;
	return 0;
}

int SDF_CloseDevice(void *device) { return device == &sessions ? 0 : INARGERR; }

int SDF_OpenSession(void *device, void **out) {
	if (device != &sessions)
		return INARGERR;
	if (atomic_load(&faults[GONE]))
		return COMMFAIL;
	unsigned limit = atomic_load(&faults[SESSION_LIMIT]);
	int code = OPENSESSION;
	pthread_mutex_lock(&mu);
	for (int i = 0; i < MAX_SESSIONS && (limit == 0 || open_sessions < (int)limit); i++)
		if (!sessions[i].open) {
			memset(&sessions[i], 0, sizeof sessions[i]);
			sessions[i].open = 1;
			open_sessions++;
			*out = &sessions[i];
			code = 0;
			break;
		}
	pthread_mutex_unlock(&mu);
	return code;
}

int SDF_CloseSession(void *handle) {
	session *s = handle;
	pthread_mutex_lock(&mu);
	if (s->open) {
		s->open = 0;
		open_sessions--;
	}
	pthread_mutex_unlock(&mu);
	return 0;
}

int SDF_GetPrivateKeyAccessRight(void *handle, unsigned index, unsigned char *pin, unsigned len) {
	session *s = handle;
	if (atomic_load(&faults[GONE]))
		return COMMFAIL;
	int code = KEYNOTEXIST;
	for (int i = 0; i < key_count; i++) {
		if (keys[i].index != index)
			continue;
		if (atomic_load(&faults[PIN_STATE]) >= 2) {
			atomic_fetch_add(&faults[PIN_FAILURES], 1);
			return VENDOR_LOCKED;
		}
		if (strlen(keys[i].pin) != len || memcmp(keys[i].pin, pin, len) != 0) {
			atomic_fetch_add(&faults[PIN_FAILURES], 1);
			return PRKRERR;
		}
		s->right[i] = 1;
		code = 0;
	}
	return code;
}

static int export(unsigned index, const char *usage, public_key *out) {
	if (atomic_load(&faults[GONE]))
		return COMMFAIL;
	sim_key *k = find(index, usage);
	if (k == NULL)
		return KEYNOTEXIST;
	memset(out, 0, sizeof *out);
	out->bits = 256;
	memcpy(out->x + 32, k->x, 32);
	memcpy(out->y + 32, k->y, 32);
	return 0;
}

int SDF_ExportSignPublicKey_ECC(void *handle, unsigned index, public_key *out) { return export(index, "sign", out); }

int SDF_ExportEncPublicKey_ECC(void *handle, unsigned index, public_key *out) { return export(index, "encrypt", out); }

// permitted says whether the session may use the key: 0 or a code.
static int permitted(session *s, sim_key *k) {
	if (atomic_load(&faults[GONE]))
		return COMMFAIL;
	if (k == NULL)
		return KEYNOTEXIST;
	if (!s->open || (strcmp(k->pin, "-") != 0 && !s->right[k - keys]) || take_fault(LOST_RIGHTS))
		return PARDENY;
	return 0;
}

int SDF_InternalSign_ECC(void *handle, unsigned index, unsigned char *data, unsigned len, signature *out) {
	sim_key *k = find(index, "sign");
	int code = permitted(handle, k);
	if (code == 0 && len != 32)
		code = INARGERR;
	if (code != 0)
		return code;
	begin();
	if (atomic_load(&faults[GONE]))
		code = COMMFAIL;
	else if (take_fault(VENDOR_ERROR))
		code = VENDOR;
	else {
		memset(out, 0, sizeof *out);
		sm2_sign(k, data, out->r + 32, out->s + 32);
	}
	end();
	return code;
}

#ifndef WITHOUT_DECRYPT
static int decrypt(void *handle, unsigned index, ciphertext *in, unsigned char *plain, unsigned *len) {
	sim_key *k = find(index, "encrypt");
	int code = permitted(handle, k);
	if (code == 0 && *len < in->len)
		code = INARGERR;
	if (code != 0)
		return code;
	begin();
	if (sm2_decrypt(k, in->x + 32, in->y + 32, in->hash, in->text, in->len, plain) != 0)
		code = ENCDATAERR;
	*len = in->len;
	end();
	return code;
}

#ifdef DECRYPT_WITHOUT_ALGORITHM
int SDF_InternalDecrypt_ECC(void *handle, unsigned index, ciphertext *in, unsigned char *plain, unsigned *len) {
	return decrypt(handle, index, in, plain, len);
}
#else
int SDF_InternalDecrypt_ECC(void *handle, unsigned index, unsigned alg, ciphertext *in, unsigned char *plain, unsigned *len) {
	return alg == SGD_SM2_3 ? decrypt(handle, index, in, plain, len) : INARGERR;
}
#endif
#endif

int SDF_GenerateRandom(void *handle, unsigned len, unsigned char *out) {
	if (atomic_load(&faults[GONE]))
		return COMMFAIL;
	sim_random(out, len);
	return 0;
}
