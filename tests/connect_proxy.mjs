// An HTTP proxy for tests/client.sh: prints its port, leads to whom it is asked to CONNECT if the credentials are user:p@ss,
// and else asks for them; says on standard error what it was asked for.
import { createServer } from 'node:http';
import { connect } from 'node:net';
const wanted = 'Basic ' + Buffer.from('user:p@ss').toString('base64');
const server = createServer((request, response) => response.writeHead(501).end());
server.on('connect', (request, client, head) => {
    const at = request.url.lastIndexOf(':');
    console.error(request.url.slice(0, at), Object.keys(request.headers).join(' '));
    client.on('error', () => client.destroy());
    if (request.headers['proxy-authorization'] !== wanted) {
        client.end('HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="tests"\r\nContent-Length: 0\r\n\r\n');
        return;
    }
    const peer = connect(+request.url.slice(at + 1), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        peer.write(head);
        peer.pipe(client).pipe(peer);
    });
    peer.on('error', () => client.destroy());
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
