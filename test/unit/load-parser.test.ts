import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseParser } from '../support/load/parser.ts';

const LENGTH =
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Release: r1\r\nX-Request-ID: a\r\nConnection: close\r\n\r\nhello';
const CHUNKS =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;note=x\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n';

/** Feeds the text in pieces of `size` bytes. */
function parse(text: string, size = text.length): ResponseParser {
  const parser = new ResponseParser(true);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += size) parser.feed(bytes.subarray(at, at + size));
  return parser;
}

for (const [name, text] of Object.entries({ length: LENGTH, chunks: CHUNKS })) {
  void test(`a response is whole however it is cut into packets (${name})`, () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = parse(text, size);
      assert.equal(parser.done, true, `pieces of ${size}`);
      assert.equal(Buffer.concat(parser.body).toString(), 'hello');
      assert.equal(parser.bytes, 5);
      assert.equal(parser.extra, 0);
    }
  });

  void test(`a response that lacks any part of its end is not whole (${name})`, () => {
    for (let length = 0; length < text.length; length++) {
      const parser = parse(text.slice(0, length), 7);
      parser.end();
      assert.equal(parser.done, false, `the first ${length} bytes`);
    }
  });

  void test(`bytes beyond the end of a response are counted (${name})`, () => {
    assert.equal(parse(`${text}HTTP/1.1`).extra, 8);
  });
}

void test('the headers that matter are read whatever their case', () => {
  const { release, requestId, closes, framed, status } = parse(LENGTH);
  assert.deepEqual(
    { release, requestId, closes, framed, status },
    {
      release: 'r1',
      requestId: 'a',
      closes: true,
      framed: true,
      status: 200,
    },
  );
});

void test('interim responses precede the answer', () => {
  const parser = parse(`HTTP/1.1 100 Continue\r\n\r\n${LENGTH}`, 9);
  assert.equal(parser.done, true);
  assert.equal(parser.status, 200);
});

void test('a response without length ends with the connection and is marked as such', () => {
  const parser = parse('HTTP/1.1 200 OK\r\n\r\nhel');
  assert.equal(parser.done, false);
  parser.end();
  assert.equal(parser.done, true);
  assert.equal(parser.framed, false);
});

for (const [name, text] of Object.entries({
  'another protocol': 'HTTP/1.0 200 OK\r\n\r\n',
  'no status': 'HTTP/1.1 OK\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
  'a length and chunks': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
  'a bad chunk size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'a chunk longer than it says': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n',
  'a line that is no header': 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n',
})) {
  void test(`${name} makes a response malformed`, () => {
    assert.equal(parse(text).stage, 'bad');
  });
}
