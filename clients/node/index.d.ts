// SPDX-License-Identifier: Apache-2.0

import { KeyObject } from 'node:crypto';

/** The default signer id, the only one that Fabric's nodes accept. */
export const SIGNER_ID: string;

/** Reads an SM2 private key: PKCS #8, which may be encrypted, or SEC 1. */
export function readPrivateKey(pem: string | Buffer, passphrase?: string | Buffer): KeyObject;

/** Reads an SM2 public key, alone or in a certificate. */
export function readPublicKey(pem: string | Buffer): KeyObject;

/** Signs a whole message, not a hash of it. Returns DER. */
export function sign(privateKey: KeyObject, message: Uint8Array): Buffer;

/** Verifies a signature in DER. */
export function verify(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean;

/** Makes the signer for connect() of @hyperledger/fabric-gateway, which must be given hash: hash.none too. */
export function newSigner(privateKey: KeyObject): (message: Uint8Array) => Promise<Uint8Array>;
