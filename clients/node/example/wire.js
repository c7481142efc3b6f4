// SPDX-License-Identifier: Apache-2.0

'use strict';

/** The little of protobuf's wire format that the messages of a transaction need. */

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/**
 * Encodes a message. Fields are pairs of number and value: strings, byte strings and messages are length-delimited, numbers are
 * varints. Values that are undefined, 0 or empty are left out, as proto3 does, but for those in arrays.
 */
function message(...fields) {
  const parts = [];
  const add = (number, value) => {
    if (typeof value === 'number') {
      parts.push(varint(number << 3), varint(value));
    } else {
      const bytes = Buffer.from(value);
      parts.push(varint((number << 3) | 2), varint(bytes.length), bytes);
    }
  };
  for (const [number, value] of fields) {
    if (Array.isArray(value)) {
      value.forEach((v) => add(number, v));
    } else if (value !== undefined && value !== 0 && value.length !== 0) {
      add(number, value);
    }
  }
  return Buffer.concat(parts);
}

/** Decodes a message into a map from field number to the last value: a Buffer, or a number. */
function fields(bytes) {
  const found = new Map();
  let at = 0;
  const readVarint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) {
        throw new Error('the message ends within a number');
      }
      const b = bytes[at++];
      value |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) {
        return Number(value);
      }
    }
    throw new Error('a number in the message is too long');
  };
  while (at < bytes.length) {
    const tag = readVarint();
    let value;
    switch (tag & 7) {
      case 0:
        value = readVarint();
        break;
      case 2: {
        const length = readVarint();
        if (length > bytes.length - at) {
          throw new Error('the message ends within a field');
        }
        value = bytes.subarray(at, at + length);
        at += length;
        break;
      }
      default:
        throw new Error(`the message has a field of wire type ${tag & 7}`);
    }
    found.set(tag >> 3, value);
  }
  return found;
}

module.exports = { message, fields };
