// SPDX-License-Identifier: Apache-2.0

'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const { test } = require('node:test');
const signer = require('..');

// GB/T 32918.5-2017, annex A.2: key pair, message and signature with the default id.
const PRIVATE = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
const PUBLIC = '09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020' +
  'ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13';
const SIGNATURE = '30460221' + '00f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3' +
  '0221' + '00b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa';
const CURVE = '06082a811ccf5501822d';

const pem = (label, der) => `-----BEGIN ${label}-----\n${der.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END ${label}-----\n`;
const sec1 = Buffer.from('30770201010420' + PRIVATE + 'a00a' + CURVE + 'a144034200' + '04' + PUBLIC, 'hex');
const spki = Buffer.from('3059301306072a8648ce3d0201' + CURVE + '034200' + '04' + PUBLIC, 'hex');
const standard = {
  private: signer.readPrivateKey(pem('EC PRIVATE KEY', sec1)),
  public: signer.readPublicKey(pem('PUBLIC KEY', spki)),
};

test('verifies the signature of the standard', () => {
  const message = Buffer.from('message digest');
  assert.ok(signer.verify(standard.public, message, Buffer.from(SIGNATURE, 'hex')));
  assert.ok(!signer.verify(standard.public, Buffer.from('message digesT'), Buffer.from(SIGNATURE, 'hex')));
});

test('signs what it verifies, also nothing and much', async () => {
  const sign = signer.newSigner(standard.private);
  for (const length of [0, 1, 31, 32, 33, 64, 100000]) {
    const message = crypto.randomBytes(length);
    assert.ok(signer.verify(standard.public, message, await sign(message)));
    assert.ok(signer.verify(standard.public, message, signer.sign(standard.private, message)));
  }
});

test('an empty id, which crypto.sign takes, does not fit', () => {
  const message = Buffer.from('message');
  const wrong = crypto.sign('sm3', message, standard.private);
  assert.ok(!signer.verify(standard.public, message, wrong));
});

test('reads the forms that openssl and cryptogen write', () => {
  const forms = {
    pkcs8: standard.private.export({ format: 'pem', type: 'pkcs8' }),
    'point compressed': pem('EC PRIVATE KEY', Buffer.from('30570201010420' + PRIVATE + 'a00a' + CURVE + 'a124032200' + '03' + PUBLIC.slice(0, 64), 'hex')),
    'parameters in front': pem('EC PARAMETERS', Buffer.from(CURVE, 'hex')) + pem('EC PRIVATE KEY', sec1),
  };
  for (const [name, text] of Object.entries(forms)) {
    const message = Buffer.from(name);
    assert.ok(signer.verify(standard.public, message, signer.sign(signer.readPrivateKey(text), message)), name);
  }
  for (const cipher of ['aes-256-cbc', 'sm4-cbc']) {
    const text = standard.private.export({ format: 'pem', type: 'pkcs8', cipher, passphrase: 'secret' });
    const message = Buffer.from(cipher);
    assert.ok(signer.verify(standard.public, message, signer.sign(signer.readPrivateKey(text, 'secret'), message)), cipher);
    assert.throws(() => signer.readPrivateKey(text, 'wrong'), /cannot be read.*gmtls key/);
    assert.throws(() => signer.readPrivateKey(text), /cannot be read.*gmtls key/);
  }
});

test('refuses other keys and no keys', () => {
  const p256 = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.throws(() => signer.readPrivateKey(p256.privateKey.export({ format: 'pem', type: 'pkcs8' })), /not an SM2 key/);
  assert.throws(() => signer.readPublicKey(p256.publicKey.export({ format: 'pem', type: 'spki' })), /not an SM2 key/);
  assert.throws(() => signer.readPrivateKey('nothing'), /cannot be read/);
});
