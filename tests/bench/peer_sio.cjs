// Socket.IO of Node: an event goes to all in the namespace as it came, or, in mode echo, back.
const { Server } = require('socket.io');
const [port, mode] = process.argv.slice(2);
const http = require('http').createServer();
const io = new Server(http, { serveClient: false, perMessageDeflate: false, httpCompression: false });
io.on('connection', (socket) => {
    socket.on('m', (data) => (mode === 'echo' ? socket : io).emit('m', data));
});
http.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
