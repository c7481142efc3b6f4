// SPDX-License-Identifier: Apache-2.0

'use strict';

/**
 * SM2 signatures over SM3 (GB/T 32918.2-2016) for Fabric's gateway, with nothing but node:crypto.
 *
 * An SM2 signature is made over e = SM3(Z || message), where Z hashes the signer's id, the curve and the public key.
 * crypto.sign('sm3', ...) takes an empty id and does not fit; here Z, with the default id, is hashed in front of the message.
 */

const crypto = require('node:crypto');

/** The default signer id (GM/T 0009-2012, section 10), the only one that Fabric's nodes accept. */
const SIGNER_ID = '1234567812345678';

// DER of SubjectPublicKeyInfo between the lengths: ecPublicKey, curve 1.2.156.10197.1.301.
const ALGORITHM = Buffer.from('301306072a8648ce3d020106082a811ccf5501822d', 'hex');

// a, b, and the coordinates of G (GB/T 32918.5-2017, annex A).
const CURVE = Buffer.from(
  'fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc' +
  '28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93' +
  '32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7' +
  'bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0', 'hex');

/**
 * Reads a private key and checks that it is an SM2 key.
 *
 * @param {string|Buffer} pem PKCS #8 or SEC 1, as our CA, cryptogen and openssl write it; PKCS #8 may be encrypted
 * @param {string|Buffer} [passphrase] of an encrypted key
 * @returns {crypto.KeyObject}
 */
function readPrivateKey(pem, passphrase) {
  let key;
  try {
    key = crypto.createPrivateKey({ key: pem, passphrase });
  } catch (err) {
    throw new Error(`the private key cannot be read: ${err.message}; 'gmtls key' says what the file is, and converts it`, { cause: err });
  }
  zOf(crypto.createPublicKey(key));
  return key;
}

/**
 * Reads a public key, alone or in a certificate, and checks that it is an SM2 key.
 *
 * @param {string|Buffer} pem PUBLIC KEY or CERTIFICATE
 * @returns {crypto.KeyObject}
 */
function readPublicKey(pem) {
  const key = crypto.createPublicKey(pem);
  zOf(key);
  return key;
}

/**
 * Z of a public key (GB/T 32918.2-2016, section 5.5), 32 bytes.
 *
 * @param {crypto.KeyObject} publicKey
 * @returns {Buffer}
 */
function zOf(publicKey) {
  const id = Buffer.from(SIGNER_ID);
  const bits = Buffer.alloc(2);
  bits.writeUInt16BE(8 * id.length);
  return crypto.createHash('sm3').update(bits).update(id).update(CURVE).update(pointOf(publicKey)).digest();
}

// pointOf returns the coordinates of the public key, 64 bytes.
function pointOf(publicKey) {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const head = 2 + ALGORITHM.length + 3; // SEQUENCE, then BIT STRING without unused bits
  if (!spki.subarray(2, 2 + ALGORITHM.length).equals(ALGORITHM)) {
    throw new Error('the key is not an SM2 key: an identity of this network has a key on the curve 1.2.156.10197.1.301');
  }
  // A file may hold the point compressed.
  return crypto.ECDH.convertKey(spki.subarray(head), 'SM2', undefined, undefined, 'uncompressed').subarray(1);
}

/**
 * Signs a message.
 *
 * @param {crypto.KeyObject} privateKey of readPrivateKey
 * @param {Uint8Array} message the whole message, not a hash of it
 * @returns {Buffer} the signature, in DER
 */
function sign(privateKey, message) {
  return signWith(privateKey, zOf(crypto.createPublicKey(privateKey)), message);
}

function signWith(privateKey, z, message) {
  return crypto.createSign('sm3').update(z).update(message).sign(privateKey);
}

/**
 * Verifies a signature.
 *
 * @param {crypto.KeyObject} publicKey of readPublicKey
 * @param {Uint8Array} message
 * @param {Uint8Array} signature in DER
 * @returns {boolean}
 */
function verify(publicKey, message, signature) {
  return crypto.createVerify('sm3').update(zOf(publicKey)).update(message).verify(publicKey, signature);
}

/**
 * Makes the signer that connect() of @hyperledger/fabric-gateway takes, together with hash: hash.none, by which the SDK
 * hands over the message itself. With any other hash the network refuses the signatures.
 *
 * @param {crypto.KeyObject} privateKey of readPrivateKey
 * @returns {(message: Uint8Array) => Promise<Uint8Array>}
 */
function newSigner(privateKey) {
  const z = zOf(crypto.createPublicKey(privateKey));
  return async (message) => signWith(privateKey, z, message);
}

module.exports = { SIGNER_ID, newSigner, readPrivateKey, readPublicKey, sign, verify };
