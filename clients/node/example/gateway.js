// SPDX-License-Identifier: Apache-2.0

'use strict';

/**
 * The smallest client of Fabric's gateway: gRPC over node:http2, without dependencies. It shows what goes over the wire and tests
 * the signer against real nodes. Applications use @hyperledger/fabric-gateway with the same signer.
 */

const crypto = require('node:crypto');
const http2 = require('node:http2');
const { message, fields } = require('./wire');

const ENDORSER_TRANSACTION = 3;
const VALID = 0;
const EMPTY = Buffer.alloc(0);
const TIME_LIMIT = 60000; // of a call, in ms
const MAX_ANSWER = 100 << 20; // bytes, as in Fabric's own clients

class Gateway {
  /**
   * @param {object} options
   * @param {string} options.url of a gateway without protection on loopback, such as the listener of 'gmtls proxy --from plain'
   * @param {string} options.mspId
   * @param {Buffer} options.certificate PEM
   * @param {(message: Uint8Array) => Promise<Uint8Array>} options.signer
   * @param {string} options.channel
   * @param {string} options.chaincode
   */
  constructor({ url, mspId, certificate, signer, channel, chaincode }) {
    this.signer = signer;
    this.channel = channel;
    this.chaincode = message([2, chaincode]);
    this.creator = message([1, mspId], [2, certificate]);
    this.session = http2.connect(url);
    this.session.on('error', () => {}); // each call reports it
  }

  close() {
    this.session.close();
  }

  /** Evaluates a transaction and returns its result. */
  async evaluate(name, ...args) {
    const { txId, proposal } = await this.propose(name, args);
    const response = await this.call('Evaluate', message([1, txId], [2, this.channel], [3, proposal]));
    return fields(fields(response).get(1) ?? EMPTY).get(3) ?? EMPTY;
  }

  /** Submits a transaction, waits until it is committed, and returns the number of its block. */
  async submit(name, ...args) {
    const { txId, proposal } = await this.propose(name, args);
    const endorsed = await this.call('Endorse', message([1, txId], [2, this.channel], [3, proposal]));
    const prepared = fields(endorsed).get(1);
    const payload = Buffer.isBuffer(prepared) ? fields(prepared).get(1) : undefined;
    if (!Buffer.isBuffer(payload)) {
      throw new Error('Endorse: the answer has no transaction to sign');
    }
    const envelope = message([1, payload], [2, await this.signer(payload)]);
    const request = message([1, txId], [2, this.channel], [3, this.creator]);
    let status;
    try {
      await this.call('Submit', message([1, txId], [2, this.channel], [3, envelope]));
      status = fields(await this.call('CommitStatus', message([1, request], [2, await this.signer(request)])));
    } catch (cause) {
      // Who sends it again without asking for this one may have it committed twice.
      throw new Error(`it is not known whether transaction ${txId} was committed: ${cause.message}`, { cause });
    }
    const code = status.get(1) ?? VALID;
    if (code !== VALID) {
      throw new Error(`transaction ${txId} was committed as invalid, with code ${code}`);
    }
    return status.get(2);
  }

  async propose(name, args) {
    const nonce = crypto.randomBytes(24);
    const txId = crypto.createHash('sha256').update(nonce).update(this.creator).digest('hex');
    const now = Date.now();
    const channelHeader = message(
      [1, ENDORSER_TRANSACTION],
      [3, message([1, Math.floor(now / 1000)], [2, (now % 1000) * 1000000])],
      [4, this.channel],
      [5, txId],
      [7, message([2, this.chaincode])]);
    const header = message([1, channelHeader], [2, message([1, this.creator], [2, nonce])]);
    const input = message([1, [name, ...args]]);
    const invocation = message([1, message([2, this.chaincode], [3, input])]);
    const bytes = message([1, header], [2, message([1, invocation])]);
    return { txId, proposal: message([1, bytes], [2, await this.signer(bytes)]) };
  }

  /** Makes one unary call and returns the response's bytes. */
  call(method, request) {
    return new Promise((resolve, reject) => {
      const stream = this.session.request({
        ':method': 'POST', ':path': `/gateway.Gateway/${method}`, 'content-type': 'application/grpc', te: 'trailers',
      });
      const fail = (reason) => {
        reject(new Error(`${method}: ${reason}`));
        stream.close(http2.constants.NGHTTP2_CANCEL);
      };
      // Of the whole call: a gateway that sends a byte now and then is never idle.
      const timer = setTimeout(() => fail(`no answer within ${TIME_LIMIT / 1000} s`), TIME_LIMIT);
      const chunks = [];
      let size = 0;
      let trailers = {};
      stream.on('response', (headers) => { trailers = headers; }); // an error may come without a body
      stream.on('trailers', (headers) => { trailers = headers; });
      stream.on('data', (chunk) => {
        size += chunk.length;
        if (size > MAX_ANSWER) {
          fail(`the answer has more than ${MAX_ANSWER} bytes`);
        } else {
          chunks.push(chunk);
        }
      });
      stream.on('error', reject);
      stream.on('close', () => {
        clearTimeout(timer);
        const status = trailers['grpc-status'];
        const body = Buffer.concat(chunks);
        if (status !== '0') {
          const text = decoded(trailers['grpc-message'] ?? 'the connection ended');
          fail(`${text} (gRPC status ${status ?? 'missing'})`);
        } else if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) {
          fail('the answer is not one message without compression');
        } else {
          resolve(body.subarray(5)); // behind the flag and the length
        }
      });
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(request.length, 1);
      stream.end(Buffer.concat([prefix, request]));
    });
  }
}

/** Decodes percent signs. An exception in a listener would end the process, so text that is not encoded stays as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

module.exports = { Gateway };
