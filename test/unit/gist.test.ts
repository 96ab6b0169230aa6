import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gist } from '../../deployer/gist.ts';

describe('what an answer says, in one line', () => {
  it('is its text without markup: the page of an error in Express', () => {
    const page = `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>
<body>\n<pre>Error: no colour<br> &nbsp; at server.js:7</pre>\n</body>\n</html>\n`;
    assert.equal(gist(page), 'Error: no colour &nbsp; at server.js:7');
  });

  it('is JSON or plain text as it came, but for line ends and length', () => {
    assert.equal(gist('{"error":"a < b"}'), '{"error":"a < b"}');
    assert.equal(gist('first\r\nsecond\n'), 'first second');
    assert.equal(gist('x'.repeat(500)).length, 200);
  });
});
