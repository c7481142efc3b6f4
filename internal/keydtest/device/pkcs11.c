// SPDX-License-Identifier: Apache-2.0
//
// A simulated token with PKCS #11 and the SM2 of one vendor, which the environment's SIMULATED_FAMILY names. A line of its
// file "keys": label, id in hex, scalar in hex. The PIN is that of the file's first line: "pin", then the PIN. The token's label is "simulated".

#include "sim.h"

typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef unsigned char CK_BYTE;

enum {
	OK = 0,
	SLOT_ID_INVALID = 0x3,
	GENERAL_ERROR = 0x5,
	ARGUMENTS_BAD = 0x7,
	ATTRIBUTE_TYPE_INVALID = 0x12,
	DEVICE_REMOVED = 0x32,
	ENCRYPTED_DATA_INVALID = 0x40,
	FUNCTION_NOT_SUPPORTED = 0x54,
	KEY_HANDLE_INVALID = 0x60,
	MECHANISM_INVALID = 0x70,
	OPERATION_NOT_INITIALIZED = 0x91,
	PIN_INCORRECT = 0xA0,
	PIN_LOCKED = 0xA4,
	SESSION_COUNT = 0xB1,
	SESSION_HANDLE_INVALID = 0xB3,
	TOKEN_NOT_PRESENT = 0xE0,
	ALREADY_LOGGED_IN = 0x100,
	USER_NOT_LOGGED_IN = 0x101,
	RANDOM_NO_RNG = 0x121,
	BUFFER_TOO_SMALL = 0x150,
	NOT_INITIALIZED = 0x190,
	ALREADY_INITIALIZED = 0x191,
};
#define VENDOR 0x80000123UL

typedef struct {
	CK_ULONG type;
	void *value;
	CK_ULONG len;
} attribute;

typedef struct {
	CK_ULONG mechanism;
	void *parameter;
	CK_ULONG len;
} mechanism;

enum hashing { DIGEST, MESSAGE, Z_MESSAGE };

static const struct family {
	const char *name;
	CK_ULONG key_type, sign_digest, sign_hash, decrypt;
	enum hashing hashing; // of sign_hash
	int digest_der, cipher_der;
	enum { OCTETS, POINT, COORDINATES } point;
} families[] = {
	{"sansec", 0x80000004, 0x80008104, 0x80008100, 0x80008201, Z_MESSAGE, 1, 1, POINT},
	{"tass", 0x80000004, 0x80008000, 0x80008100, 0, MESSAGE, 0, 0, OCTETS},
	{"ep11", 0x80050002, 0x8005000B, 0x8005000C, 0x8005000D, MESSAGE, 0, 0, COORDINATES},
};

static const struct family *family;

#define MAX_SESSIONS 1024
static struct session {
	int open;
	CK_ULONG found[2 * MAX_KEYS];
	int found_count, found_next;
	uint32_t again; // of found[0]
	sim_key *sign, *decrypt;
	CK_ULONG mechanism;
	EVP_MD_CTX *md; // of a message in parts
} sessions[MAX_SESSIONS + 1];
static int open_sessions, logged_in, initialized, started;
static char pin[64];
static CK_ULONG slots_seen; // when it was last asked how many there are
static int slots_asked;     // since C_Initialize
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

static void parse(char *line, BN_CTX *ctx) {
	char id[80], scalar[80];
	sim_key *k = &keys[key_count];
	if (sscanf(line, "pin %63s", pin) == 1)
		return;
	if (sscanf(line, "%63s %79s %79s", k->label, id, scalar) != 3)
		return;
	for (k->id_len = 0; id[2 * k->id_len] != 0 && id[2 * k->id_len + 1] != 0 && k->id_len < sizeof k->id; k->id_len++) {
		unsigned byte;
		sscanf(id + 2 * k->id_len, "%2x", &byte);
		k->id[k->id_len] = (unsigned char)byte;
	}
	set_scalar(k, scalar, ctx);
	key_count++;
}

static CK_RV C_Initialize(void *args) {
	pthread_mutex_lock(&mu);
	CK_RV rv = initialized ? ALREADY_INITIALIZED : OK;
	if (!started) {
		const char *name = getenv("SIMULATED_FAMILY");
		for (size_t i = 0; name != NULL && i < sizeof families / sizeof *families; i++)
			if (strcmp(families[i].name, name) == 0)
				family = &families[i];
		if (family == NULL || sim_start(parse) != 0)
			rv = GENERAL_ERROR;
		started = rv == OK;
	}
	if (rv == OK) {
		initialized = 1;
		slots_seen = 0;
		slots_asked = 0;
	}
	pthread_mutex_unlock(&mu);
	return rv;
}

static CK_RV C_Finalize(void *reserved) {
	pthread_mutex_lock(&mu);
	memset(sessions, 0, sizeof sessions);
	open_sessions = logged_in = initialized = 0;
	pthread_mutex_unlock(&mu);
	return OK;
}

static CK_RV C_GetSlotList(CK_BYTE present, CK_ULONG *list, CK_ULONG *count) {
	if (!initialized)
		return NOT_INITIALIZED;
	if (list == NULL && slots_asked && atomic_load(&faults[FROZEN]))
		;
	else if (list == NULL)
		slots_seen = present && atomic_load(&faults[GONE]) ? 0 : atomic_load(&faults[TWIN]) ? 2 : 1;
	else if (*count < slots_seen)
		return BUFFER_TOO_SMALL;
	slots_asked = 1;
	for (CK_ULONG i = 0; list != NULL && i < slots_seen; i++)
		list[i] = 7 + i;
	*count = slots_seen;
	return OK;
}

// gone returns the code of a token that is away, or OK.
static CK_RV gone(void) {
	switch (atomic_load(&faults[GONE])) {
	case 0:
		return lost_call() ? DEVICE_REMOVED : OK;
	case 2:
		return TOKEN_NOT_PRESENT;
	default:
		return DEVICE_REMOVED;
	}
}

static CK_RV C_GetTokenInfo(CK_ULONG slot, CK_BYTE *info) {
	if (slot != 7 && slot != 8)
		return SLOT_ID_INVALID;
	memset(info, 0, 208);
	memset(info, ' ', 96);
	memcpy(info, "simulated", 9);
	memcpy(info + 80, slot == 7 ? "0001" : "0002", 4);
	CK_ULONG flags = 0x8; // USER_PIN_INITIALIZED
	if (!atomic_load(&faults[NO_RIGHTS]))
		flags |= 0x4; // LOGIN_REQUIRED
	if (atomic_load(&faults[PIN_STATE]) == 1)
		flags |= 0x20000; // USER_PIN_FINAL_TRY
	if (atomic_load(&faults[PIN_STATE]) == 2)
		flags |= 0x40000; // USER_PIN_LOCKED
	memcpy(info + 96, &flags, sizeof flags);
	return OK;
}

static struct session *session_of(CK_ULONG handle, CK_RV *rv) {
	*rv = initialized ? gone() : NOT_INITIALIZED;
	if (initialized && take_fault(SESSIONS_LOST)) {
		pthread_mutex_lock(&mu);
		for (int i = 1; i <= MAX_SESSIONS; i++)
			sessions[i].open = 0;
		open_sessions = logged_in = 0;
		pthread_mutex_unlock(&mu);
	}
	if (*rv == OK && (handle == 0 || handle > MAX_SESSIONS || !sessions[handle].open))
		*rv = SESSION_HANDLE_INVALID;
	return *rv == OK ? &sessions[handle] : NULL;
}

static CK_RV C_OpenSession(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *handle) {
	CK_RV rv = initialized ? gone() : NOT_INITIALIZED;
	if (rv != OK)
		return rv;
	rv = SESSION_COUNT;
	int limit = (int)atomic_load(&faults[SESSION_LIMIT]);
	pthread_mutex_lock(&mu);
	for (int i = 1; i <= MAX_SESSIONS && (limit == 0 || open_sessions < limit); i++)
		if (!sessions[i].open) {
			memset(&sessions[i], 0, sizeof sessions[i]);
			sessions[i].open = 1;
			open_sessions++;
			*handle = (CK_ULONG)i;
			rv = OK;
			break;
		}
	pthread_mutex_unlock(&mu);
	return rv;
}

static CK_RV C_CloseSession(CK_ULONG handle) {
	pthread_mutex_lock(&mu);
	if (handle != 0 && handle <= MAX_SESSIONS && sessions[handle].open) {
		sessions[handle].open = 0;
		if (--open_sessions == 0)
			logged_in = 0;
	}
	pthread_mutex_unlock(&mu);
	return OK;
}

static CK_RV C_Login(CK_ULONG handle, CK_ULONG user, CK_BYTE *given, CK_ULONG len) {
	CK_RV rv;
	if (session_of(handle, &rv) == NULL)
		return rv;
	if (logged_in)
		return ALREADY_LOGGED_IN;
	if (atomic_load(&faults[PIN_STATE]) != 0) {
		atomic_fetch_add(&faults[PIN_FAILURES], 1);
		return PIN_LOCKED;
	}
	CK_RV code = atomic_load(&faults[PIN_CODE]);
	if (code != 0) {
		atomic_fetch_add(&faults[PIN_FAILURES], 1);
		return code;
	}
	if (strlen(pin) != len || memcmp(pin, given, len) != 0) {
		atomic_fetch_add(&faults[PIN_FAILURES], 1);
		return PIN_INCORRECT;
	}
	logged_in = 1;
	return OK;
}

// may_use says whether private keys can be used.
static int may_use(void) { return logged_in || atomic_load(&faults[NO_RIGHTS]); }

// Objects: 2i+1 is the private, 2i+2 the public half of keys[i].
static sim_key *object(CK_ULONG handle) {
	if (handle == 0 || handle > 2 * (CK_ULONG)key_count || atomic_load(&faults[REMOVED]))
		return NULL;
	return &keys[(handle - 1) / 2];
}

// value writes the value of an attribute into a buffer; its length, or -1 if the object has none.
static long value(CK_ULONG handle, CK_ULONG type, CK_BYTE *out) {
	const sim_key *k = object(handle), *held = holder(k);
	int is_private = handle % 2 == 1;
	CK_ULONG number;
	switch (type) {
	case 0x000:
		number = is_private ? 3 : 2;
		break;
	case 0x100:
		number = family->key_type;
		break;
	case 0x003:
		memcpy(out, k->label, strlen(k->label));
		return (long)strlen(k->label);
	case 0x102:
		memcpy(out, k->id, k->id_len);
		return (long)k->id_len;
	case 0x105:
	case 0x108:
		if (!is_private)
			return -1;
		out[0] = (atomic_load(&faults[NOT_FOR]) & (type == 0x108 ? 1 : 2)) == 0;
		return 1;
	case 0x181:
		if (is_private)
			return -1;
		if (family->point == COORDINATES) {
			memcpy(out, held->x, 32);
			memcpy(out + 32, held->y, 32);
			return 64;
		}
		CK_BYTE *at = out;
		if (family->point == OCTETS) {
			*at++ = 4;
			*at++ = 65;
		}
		*at++ = 4;
		memcpy(at, held->x, 32);
		memcpy(at + 32, held->y, 32);
		return at + 64 - out;
	default:
		return -1;
	}
	memcpy(out, &number, sizeof number);
	return sizeof number;
}

static CK_RV C_GetAttributeValue(CK_ULONG handle, CK_ULONG obj, attribute *template, CK_ULONG count) {
	CK_RV rv;
	if (session_of(handle, &rv) == NULL)
		return rv;
	if (object(obj) == NULL)
		return KEY_HANDLE_INVALID;
	for (CK_ULONG i = 0; i < count; i++) {
		if (obj == 1 && template[i].type == 0x003 && atomic_load(&faults[LABEL_CODE]))
			return atomic_load(&faults[LABEL_CODE]);
		CK_BYTE buffer[128];
		long len = value(obj, template[i].type, buffer);
		if (len < 0) {
			template[i].len = (CK_ULONG)-1;
			rv = ATTRIBUTE_TYPE_INVALID;
		} else if (template[i].value != NULL && template[i].len < (CK_ULONG)len) {
			template[i].len = (CK_ULONG)-1;
			rv = BUFFER_TOO_SMALL;
		} else {
			if (template[i].value != NULL)
				memcpy(template[i].value, buffer, (size_t)len);
			template[i].len = (CK_ULONG)len;
		}
	}
	return rv;
}

static CK_RV C_FindObjectsInit(CK_ULONG handle, attribute *template, CK_ULONG count) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	s->found_count = s->found_next = 0;
	for (CK_ULONG obj = 1; obj <= 2 * (CK_ULONG)key_count; obj++) {
		int fits = object(obj) != NULL && (obj % 2 == 0 || may_use());
		for (CK_ULONG i = 0; fits && i < count; i++) {
			CK_BYTE buffer[128];
			long len = value(obj, template[i].type, buffer);
			fits = len >= 0 && (CK_ULONG)len == template[i].len && memcmp(buffer, template[i].value, (size_t)len) == 0;
		}
		if (fits)
			s->found[s->found_count++] = obj;
	}
	s->again = count == 1 && s->found_count > 0 ? atomic_load(&faults[MORE_KEYS]) : 0;
	return OK;
}

static CK_RV C_FindObjects(CK_ULONG handle, CK_ULONG *list, CK_ULONG max, CK_ULONG *count) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	for (*count = 0; *count < max && s->found_next < s->found_count; ++*count) {
		if (s->again > 0) {
			s->again--;
			list[*count] = s->found[0];
		} else {
			list[*count] = s->found[s->found_next++];
		}
	}
	return OK;
}

static CK_RV C_FindObjectsFinal(CK_ULONG handle) {
	CK_RV rv;
	session_of(handle, &rv);
	return rv;
}

// start checks what C_SignInit and C_DecryptInit have in common.
static CK_RV start(CK_ULONG handle, CK_ULONG obj, struct session **s, sim_key **k) {
	CK_RV rv;
	*s = session_of(handle, &rv);
	if (*s == NULL)
		return rv;
	*k = object(obj);
	if (*k == NULL || obj % 2 == 0)
		return KEY_HANDLE_INVALID;
	if (!may_use() || take_fault(LOST_RIGHTS))
		return USER_NOT_LOGGED_IN;
	return OK;
}

// add_z hashes Z of the default signer id (GB/T 32918.2, section 5.5) into md.
static void add_z(EVP_MD_CTX *md, const sim_key *k) {
	BIGNUM *a = BN_new(), *b = BN_new(), *gx = BN_new(), *gy = BN_new();
	EC_GROUP_get_curve(group, NULL, a, b, NULL);
	EC_POINT_get_affine_coordinates(group, EC_GROUP_get0_generator(group), gx, gy, NULL);
	CK_BYTE buffer[2 + 16 + 6 * 32], z[32];
	memcpy(buffer, "\x00\x80" "1234567812345678", 18);
	BN_bn2binpad(a, buffer + 18, 32);
	BN_bn2binpad(b, buffer + 50, 32);
	BN_bn2binpad(gx, buffer + 82, 32);
	BN_bn2binpad(gy, buffer + 114, 32);
	memcpy(buffer + 146, k->x, 32);
	memcpy(buffer + 178, k->y, 32);
	sm3(z, buffer, sizeof buffer, "", 0, "", 0);
	EVP_DigestUpdate(md, z, 32);
	BN_free(a);
	BN_free(b);
	BN_free(gx);
	BN_free(gy);
}

static CK_RV C_SignInit(CK_ULONG handle, mechanism *m, CK_ULONG obj) {
	struct session *s;
	sim_key *k;
	CK_RV rv = start(handle, obj, &s, &k);
	if (rv != OK)
		return rv;
	if (m->mechanism != family->sign_digest && m->mechanism != family->sign_hash)
		return MECHANISM_INVALID;
	s->sign = k;
	s->mechanism = m->mechanism;
	if (m->mechanism == family->sign_hash) {
		if (s->md == NULL)
			s->md = EVP_MD_CTX_new();
		EVP_DigestInit_ex(s->md, EVP_sm3(), NULL);
		if (family->hashing == MESSAGE)
			add_z(s->md, k);
	}
	return OK;
}

static CK_RV C_SignUpdate(CK_ULONG handle, CK_BYTE *data, CK_ULONG len) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	if (s->sign == NULL || s->mechanism != family->sign_hash)
		return OPERATION_NOT_INITIALIZED;
	usleep(atomic_load(&faults[DELAY]));
	EVP_DigestUpdate(s->md, data, len);
	return OK;
}

static CK_ULONG put_integer(CK_BYTE *out, const CK_BYTE *n) {
	int skip = 0;
	while (skip < 31 && n[skip] == 0)
		skip++;
	int pad = n[skip] >> 7;
	out[0] = 2;
	out[1] = (CK_BYTE)(32 - skip + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, n + skip, (size_t)(32 - skip));
	return (CK_ULONG)(2 + 32 - skip + pad);
}

static CK_RV finish(struct session *s, const CK_BYTE e[32], CK_BYTE *out, CK_ULONG *len) {
	CK_BYTE r[32], v[32];
	begin();
	CK_RV rv = gone();
	if (rv == OK && take_fault(VENDOR_ERROR))
		rv = VENDOR;
	if (rv == OK)
		sm2_sign(s->sign, e, r, v);
	end();
	int der = s->mechanism == family->sign_digest && family->digest_der;
	s->sign = NULL;
	if (rv != OK)
		return rv;
	if (*len < 72)
		return BUFFER_TOO_SMALL;
	if (der) {
		CK_ULONG n = put_integer(out + 2, r);
		n += put_integer(out + 2 + n, v);
		out[0] = 0x30;
		out[1] = (CK_BYTE)n;
		*len = n + 2;
	} else {
		memcpy(out, r, 32);
		memcpy(out + 32, v, 32);
		*len = 64;
	}
	return OK;
}

static CK_RV C_SignFinal(CK_ULONG handle, CK_BYTE *out, CK_ULONG *len) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	if (s->sign == NULL || s->mechanism != family->sign_hash)
		return OPERATION_NOT_INITIALIZED;
	CK_BYTE e[32];
	EVP_DigestFinal_ex(s->md, e, NULL);
	return finish(s, e, out, len);
}

static CK_RV C_Sign(CK_ULONG handle, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *out, CK_ULONG *len) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	if (s->sign == NULL)
		return OPERATION_NOT_INITIALIZED;
	if (s->mechanism == family->sign_hash) {
		EVP_DigestUpdate(s->md, data, data_len);
		return C_SignFinal(handle, out, len);
	}
	if (data_len != 32)
		return 0x21; // DATA_LEN_RANGE
	return finish(s, data, out, len);
}

static CK_RV C_DecryptInit(CK_ULONG handle, mechanism *m, CK_ULONG obj) {
	struct session *s;
	sim_key *k;
	CK_RV rv = start(handle, obj, &s, &k);
	if (rv != OK)
		return rv;
	if (family->decrypt == 0 || m->mechanism != family->decrypt)
		return MECHANISM_INVALID;
	s->decrypt = k;
	return OK;
}

// take reads a DER element with the tag; its content, or NULL.
static const CK_BYTE *take(const CK_BYTE **at, const CK_BYTE *stop, CK_BYTE tag, CK_ULONG *len) {
	const CK_BYTE *p = *at;
	if (stop - p < 2 || p[0] != tag)
		return NULL;
	CK_ULONG n = p[1];
	p += 2;
	if (n >= 0x80) {
		CK_ULONG bytes = n & 0x7f;
		for (n = 0; bytes > 0 && p < stop; bytes--)
			n = n << 8 | *p++;
	}
	if ((CK_ULONG)(stop - p) < n)
		return NULL;
	*at = p + n;
	*len = n;
	return p;
}

static int coordinate(const CK_BYTE **at, const CK_BYTE *stop, CK_BYTE out[32]) {
	CK_ULONG len;
	const CK_BYTE *p = take(at, stop, 2, &len);
	while (p != NULL && len > 32 && *p == 0) {
		p++;
		len--;
	}
	if (p == NULL || len > 32)
		return -1;
	memset(out, 0, 32);
	memcpy(out + 32 - len, p, len);
	return 0;
}

static CK_RV C_Decrypt(CK_ULONG handle, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len) {
	CK_RV rv;
	struct session *s = session_of(handle, &rv);
	if (s == NULL)
		return rv;
	sim_key *k = s->decrypt;
	s->decrypt = NULL;
	if (k == NULL)
		return OPERATION_NOT_INITIALIZED;
	CK_BYTE x[32], y[32];
	const CK_BYTE *hash, *text, *stop = in + in_len;
	CK_ULONG text_len, n;
	if (family->cipher_der) {
		const CK_BYTE *at = in;
		const CK_BYTE *body = take(&at, stop, 0x30, &n);
		if (body == NULL || coordinate(&body, stop, x) != 0 || coordinate(&body, stop, y) != 0 ||
		    (hash = take(&body, stop, 4, &n)) == NULL || n != 32 || (text = take(&body, stop, 4, &text_len)) == NULL)
			return ENCRYPTED_DATA_INVALID;
	} else {
		if (in_len <= 97 || in[0] != 4)
			return ENCRYPTED_DATA_INVALID;
		memcpy(x, in + 1, 32);
		memcpy(y, in + 33, 32);
		hash = in + 65;
		text = in + 97;
		text_len = in_len - 97;
	}
	if (*len < text_len)
		return BUFFER_TOO_SMALL;
	begin();
	rv = sm2_decrypt(k, x, y, hash, text, text_len, out) == 0 ? OK : or_own(TEXT_CODE, ENCRYPTED_DATA_INVALID);
	end();
	*len = text_len - (atomic_load(&faults[WRONG_PLAIN]) == 2);
	return rv;
}

static CK_RV C_GenerateRandom(CK_ULONG handle, CK_BYTE *out, CK_ULONG len) {
	CK_RV rv;
	if (session_of(handle, &rv) == NULL)
		return rv;
	if (atomic_load(&faults[NO_RANDOM]))
		return RANDOM_NO_RNG;
	sim_random(out, len);
	return OK;
}

static struct {
	CK_BYTE version[2];
	void *functions[68];
} list = {{2, 40},
          {
              [0] = C_Initialize,
              [1] = C_Finalize,
              [4] = C_GetSlotList,
              [6] = C_GetTokenInfo,
              [12] = C_OpenSession,
              [13] = C_CloseSession,
              [18] = C_Login,
              [24] = C_GetAttributeValue,
              [26] = C_FindObjectsInit,
              [27] = C_FindObjects,
              [28] = C_FindObjectsFinal,
              [33] = C_DecryptInit,
              [34] = C_Decrypt,
              [42] = C_SignInit,
              [43] = C_Sign,
              [44] = C_SignUpdate,
              [45] = C_SignFinal,
              [64] = C_GenerateRandom,
          }};

CK_RV C_GetFunctionList(void **out) {
	*out = &list;
	return OK;
}
