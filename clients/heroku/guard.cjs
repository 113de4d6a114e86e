// Loaded before the Heroku CLI (node --require): whatever would leave this machine
// is refused and written down. HEROKU_HOST is only a request; this is the wall. It
// is inherited by the processes that the CLI starts.
const net = require('node:net')
const dns = require('node:dns')
const fs = require('node:fs')

const local = host => host === undefined || host === 'localhost' || host === '::1' || /^127\./.test(host)
const refuse = what => {
  fs.appendFileSync(process.env.REKEY_GUARD, what + '\n')
  return Object.assign(new Error('refused by guard.cjs: ' + what), {code: 'ECONNREFUSED'})
}

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  // A list when net.connect calls; options, a port and a host, or a path otherwise.
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  const to = typeof first === 'object' && first !== null ? first : {port: first, host: typeof args[1] === 'string' ? args[1] : undefined}
  if (to.path == null && !local(to.host)) {
    const err = refuse(`${to.host}:${to.port}`)
    process.nextTick(() => this.destroy(err))
    return this
  }
  return connect.apply(this, args)
}

const lookup = dns.lookup
dns.lookup = function (host, ...rest) {
  if (local(host)) return lookup.call(this, host, ...rest)
  const done = rest[rest.length - 1]
  const err = refuse(`lookup ${host}`)
  process.nextTick(() => done(err))
}
