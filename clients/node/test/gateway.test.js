// SPDX-License-Identifier: Apache-2.0

'use strict';

const assert = require('node:assert');
const http2 = require('node:http2');
const { test } = require('node:test');
const { Gateway } = require('../example/gateway');
const { message } = require('../example/wire');

const OK = { 'grpc-status': '0' };

/** Starts a server whose streams answer handles, and returns a gateway to it. */
async function connect(t, answer) {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answer(stream, headers[':path'].split('/').pop());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const gateway = new Gateway({
    url: `http://127.0.0.1:${server.address().port}`, mspId: 'Org1MSP', certificate: Buffer.from('a certificate'),
    signer: async () => Buffer.from('a signature'), channel: 'trade', chaincode: 'asset',
  });
  t.after(() => {
    gateway.session.destroy();
    server.close();
  });
  return gateway;
}

/** Evaluates a transaction at such a server. */
async function evaluate(t, answer) {
  return (await connect(t, answer)).evaluate('ReadAsset', 'a1');
}

/** Answers with these bytes and trailers. */
const answers = (body, trailers = OK) => (stream) => {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
};

/** The flag and the length before a message. */
function framed(body, flag = 0) {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

const result = framed(message([1, message([1, 200], [3, 'red'])]));

test('returns the result', async (t) => {
  assert.equal((await evaluate(t, answers(result))).toString(), 'red');
});

test('reports errors of the gateway, however they are written', async (t) => {
  for (const [text, want] of [['100% full', /100% full \(gRPC status 13\)/], ['50%25 of it', /50% of it/], [undefined, /the connection ended/]]) {
    const fields = { ':status': 200, 'grpc-status': '13' };
    if (text !== undefined) {
      fields['grpc-message'] = text;
    }
    await assert.rejects(evaluate(t, (stream) => stream.respond(fields, { endStream: true })), want);
  }
});

test('names a transaction whose commit is not known', async (t) => {
  for (const failing of ['Submit', 'CommitStatus']) {
    const gateway = await connect(t, (stream, method) => {
      const good = method === 'Endorse' ? message([1, message([1, 'a payload'])]) : Buffer.alloc(0);
      answers(framed(good), method === failing ? { 'grpc-status': '14', 'grpc-message': 'gone' } : OK)(stream);
    });
    await assert.rejects(gateway.submit('CreateAsset', 'a1'), new RegExp(`transaction [0-9a-f]{64} was committed: ${failing}: gone`));
  }
});

test('refuses an endorsement without a transaction', async (t) => {
  for (const answer of [Buffer.alloc(0), message([1, 5]), message([1, message([2, 'a signature'])]), message([1, message([1, 5])])]) {
    const gateway = await connect(t, answers(framed(answer)));
    await assert.rejects(gateway.submit('CreateAsset', 'a1'), /^Error: Endorse: the answer has no transaction to sign$/);
  }
});

test('refuses what is not one message', async (t) => {
  const bodies = {
    nothing: Buffer.alloc(0), cut: result.subarray(0, -1), compressed: framed(result.subarray(5), 1), 'two messages': Buffer.concat([result, result]),
  };
  for (const [name, body] of Object.entries(bodies)) {
    await assert.rejects(evaluate(t, answers(body)), /Evaluate: the answer is not one message/, name);
  }
});

test('ends a call that is never idle and never done', async (t) => {
  const { setTimeout } = globalThis;
  let limit;
  t.mock.method(globalThis, 'setTimeout', (callback, after) => {
    limit = after;
    return setTimeout(callback, 100);
  });
  await assert.rejects(evaluate(t, (stream) => {
    stream.respond({ ':status': 200 });
    const timer = setInterval(() => stream.write('a'), 5);
    stream.on('close', () => clearInterval(timer));
  }), /no answer within 60 s/);
  assert.equal(limit, 60000);
});

test('ends an answer without end', async (t) => {
  const part = Buffer.alloc(1 << 20);
  await assert.rejects(evaluate(t, (stream) => {
    stream.respond({ ':status': 200 });
    const more = () => {
      while (!stream.destroyed && stream.write(part));
    };
    stream.on('drain', more);
    more();
  }), /the answer has more than 104857600 bytes/);
});
