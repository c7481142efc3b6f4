// SPDX-License-Identifier: Apache-2.0
//
// A simulated device with the interface of GM/T 0018. A line of its file "keys": index, sign or encrypt, scalar in hex, PIN.

#include "sim.h"

#define NOTSUPPORT 0x01000002
#define COMMFAIL 0x01000003
#define HARDFAIL 0x01000004
#define OPENDEVICE 0x01000005
#define OPENSESSION 0x01000006
#define PARDENY 0x01000007
#define KEYNOTEXIST 0x01000008
#define ENCDATAERR 0x01000016
#define PRKRERR 0x01000018
#define INARGERR 0x0100001D
#define VENDOR 0x02000123
#define VENDOR_LOCKED 0x02000200
#define VENDOR_NO_KEY 0x02000300

// Headers from before the standard have other sizes and numbers.
#ifdef OLD
#define ECC_LEN 32
#define SGD_SM2_3 0x00020400
#else
#define ECC_LEN 64
#define SGD_SM2_3 0x00020800
#endif

typedef struct {
	unsigned bits;
	unsigned char x[ECC_LEN], y[ECC_LEN];
} public_key;

typedef struct {
	unsigned char r[ECC_LEN], s[ECC_LEN];
} signature;

// The standard declares one byte of text, vendors up to 4096.
typedef struct {
	unsigned char x[ECC_LEN], y[ECC_LEN], hash[32];
	unsigned len;
	unsigned char text[4096];
} ciphertext;

#define MAX_SESSIONS 4096

typedef struct {
	int open;
	unsigned char right[MAX_KEYS]; // by place in keys
} session;

static session sessions[MAX_SESSIONS];
static int open_sessions, open_device;
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
	unsigned removed = atomic_load(&faults[REMOVED]);
	if (removed == 1 || (removed == 2 && strcmp(usage, "encrypt") == 0))
		return NULL;
	for (int i = 0; i < key_count; i++)
		if (keys[i].index == index && strcmp(keys[i].usage, usage) == 0)
			return &keys[i];
	return NULL;
}

// gone returns the code of a device that is away, or 0.
static int gone(void) {
	switch (atomic_load(&faults[GONE])) {
	case 0:
		return lost_call() ? COMMFAIL : 0;
	case 2:
		return HARDFAIL;
	default:
		return COMMFAIL;
	}
}

// close_sessions needs mu.
static void close_sessions(void) {
	for (int i = 0; i < MAX_SESSIONS; i++)
		sessions[i].open = 0;
	open_sessions = 0;
}

// usable says whether the session can be used: 0 or a code.
static int usable(session *s) {
	int code = gone();
	if (code != 0)
		return code;
	pthread_mutex_lock(&mu);
	if (take_fault(SESSIONS_LOST))
		close_sessions();
	if (!s->open)
		code = INARGERR;
	pthread_mutex_unlock(&mu);
	return code;
}

// SDF_OpenDevice gives the device to one at a time.
int SDF_OpenDevice(void **device) {
	pthread_mutex_lock(&mu);
	int code = !started && sim_start(parse) != 0 ? COMMFAIL : 0;
	started = started || code == 0;
	if (code == 0)
		code = gone();
	if (code == 0 && open_device)
		code = OPENDEVICE;
	if (code == 0) {
		open_device = 1;
		*device = &sessions;
	}
	pthread_mutex_unlock(&mu);
	return code;
}

// SDF_CloseDevice refuses while there are sessions.
int SDF_CloseDevice(void *device) {
	if (device != &sessions)
		return INARGERR;
	pthread_mutex_lock(&mu);
	int code = open_sessions != 0 ? OPENSESSION : 0;
	if (code == 0)
		open_device = 0;
	pthread_mutex_unlock(&mu);
	return code;
}

int SDF_OpenSession(void *device, void **out) {
	if (device != &sessions || !open_device)
		return INARGERR;
	int code = gone();
	if (code != 0)
		return code;
	unsigned limit = atomic_load(&faults[SESSION_LIMIT]);
	code = OPENSESSION;
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
	int code = usable(s);
	if (code != 0)
		return code;
	if (atomic_load(&faults[NO_RIGHTS]))
		return NOTSUPPORT;
	code = KEYNOTEXIST;
	for (int i = 0; i < key_count; i++) {
		if (keys[i].index != index || find(index, keys[i].usage) == NULL)
			continue;
		if (atomic_load(&faults[PIN_STATE]) >= 2) {
			atomic_fetch_add(&faults[PIN_FAILURES], 1);
			return VENDOR_LOCKED;
		}
		if (strlen(keys[i].pin) != len || memcmp(keys[i].pin, pin, len) != 0) {
			atomic_fetch_add(&faults[PIN_FAILURES], 1);
			return (int)or_own(PIN_CODE, PRKRERR);
		}
		s->right[i] = 1;
		code = 0;
	}
	return code;
}

static int no_key(void) { return atomic_load(&faults[OWN_CODES]) ? VENDOR_NO_KEY : KEYNOTEXIST; }

// put writes a number of 32 bytes into an array of a structure.
static void put(unsigned char array[ECC_LEN], const unsigned char number[32]) {
	memset(array, 0, ECC_LEN);
	memcpy(array + (atomic_load(&faults[LEFT]) ? 0 : ECC_LEN - 32), number, 32);
}

static int export(session *s, unsigned index, const char *usage, public_key *out) {
	int code = usable(s);
	if (code != 0)
		return code;
	const sim_key *k = find(index, usage);
	if (k == NULL)
		return no_key();
	k = holder(k);
	unsigned bits = atomic_load(&faults[BITS]);
	out->bits = bits != 0 ? bits : 256;
	put(out->x, k->x);
	put(out->y, k->y);
	return 0;
}

int SDF_ExportSignPublicKey_ECC(void *handle, unsigned index, public_key *out) { return export(handle, index, "sign", out); }

int SDF_ExportEncPublicKey_ECC(void *handle, unsigned index, public_key *out) { return export(handle, index, "encrypt", out); }

// permitted says whether the session may use the key: 0 or a code.
static int permitted(session *s, sim_key *k) {
	int code = usable(s);
	if (code != 0)
		return code;
	if (k == NULL)
		return no_key();
	int right = s->right[k - keys] || strcmp(k->pin, "-") == 0 || atomic_load(&faults[NO_RIGHTS]);
	return !right || take_fault(LOST_RIGHTS) ? PARDENY : 0;
}

int SDF_InternalSign_ECC(void *handle, unsigned index, unsigned char *data, unsigned len, signature *out) {
	sim_key *k = find(index, "sign");
	int code = permitted(handle, k);
	if (code == 0 && len != 32)
		code = INARGERR;
	if (code != 0)
		return code;
	unsigned char e[32], r[32], v[32];
	memcpy(e, data, 32);
	if (atomic_load(&faults[HASHES]))
		sm3(e, data, 32, "", 0, "", 0);
	begin();
	code = gone();
	if (code == 0 && take_fault(VENDOR_ERROR))
		code = VENDOR;
	if (code == 0) {
		sm2_sign(k, e, r, v);
		put(out->r, r);
		put(out->s, v);
	}
	end();
	return code;
}

#ifndef WITHOUT_DECRYPT
static int decrypt(void *handle, unsigned index, ciphertext *in, unsigned char *plain, unsigned *len) {
	sim_key *k = find(index, "encrypt");
	int code = permitted(handle, k);
	ciphertext whole = *in; // as libraries do that hand it over to a driver
	for (size_t i = whole.len; i < sizeof whole.text; i++)
		if (whole.text[i] != 0)
			code = code == 0 ? INARGERR : code;
	if (code == 0 && (whole.len > sizeof whole.text || *len < whole.len))
		code = INARGERR;
	if (code != 0)
		return code;
	begin();
	if (sm2_decrypt(k, whole.x + ECC_LEN - 32, whole.y + ECC_LEN - 32, whole.hash, whole.text, whole.len, plain) != 0)
		code = (int)or_own(TEXT_CODE, ENCDATAERR);
	*len = whole.len - (atomic_load(&faults[WRONG_PLAIN]) == 2);
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
	int code = usable(handle);
	if (code == 0 && atomic_load(&faults[NO_RANDOM]))
		code = NOTSUPPORT;
	if (code == 0 && len > 1024)
		code = INARGERR;
	if (code == 0)
		sim_random(out, len);
	return code;
}
