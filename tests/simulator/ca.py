"""A certificate authority made on the spot with the `openssl` command.

Everything lies in one directory: ca.pem (what a client has to trust), and for each kind of
certificate KIND.pem (chain) and KIND.key, made when first asked for:

    good            signed by ca.pem, for every name the simulator is reached by
    wrong_name      signed by ca.pem, for wrong.invalid only
    expired         signed by ca.pem, its last day long gone
    self_signed     right names, its own issuer
    unknown_issuer  right names, signed by another CA, which ca.pem does not know

Keys are P-256, so that a handshake costs little. Nothing is written outside the directory.
"""
import ipaddress
import pathlib
import ssl
import subprocess

KINDS = ("good", "wrong_name", "expired", "self_signed", "unknown_issuer")

_CA_CONFIG = """
[ca]
default_ca = simulated
[simulated]
dir = {dir}
database = {dir}/{issuer}.index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
"""


class CertificateError(Exception):
    """`openssl` is missing or refused; the text holds its own words."""


class Authority:
    """The directory of certificates. `names` are host names and addresses for the good one."""

    def __init__(self, directory, names):
        self.directory = pathlib.Path(directory)
        self.names = list(dict.fromkeys(names))
        self.ca_file = self.directory / "ca.pem"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make_issuer("ca", "Simulated API test CA")

    def chain(self, kind):
        """(certificate file, key file) of one of KINDS."""
        if kind not in KINDS:
            raise ValueError(f"no certificate of kind {kind!r}; there are {', '.join(KINDS)}")
        files = self.directory / f"{kind}.pem", self.directory / f"{kind}.key"
        if not files[0].exists():
            self._make(kind, *files)
        return files

    def _make(self, kind, certificate, key):
        names = ["wrong.invalid"] if kind == "wrong_name" else self.names
        if kind == "self_signed":
            self._openssl("req", "-x509", "-days", "30", *_new_key(key), *_subject(names[0]),
                          "-addext", _alternative_names(names), "-out", certificate)
            return
        issuer = "ca"
        if kind == "unknown_issuer":
            issuer = "other_ca"
            self._make_issuer(issuer, "Some other test CA")
        request = certificate.with_suffix(".csr")
        self._openssl("req", "-new", *_new_key(key), *_subject(names[0]),
                      "-addext", _alternative_names(names), "-out", request)
        dates = ["-days", "30"]
        if kind == "expired":
            dates = ["-startdate", "20200101000000Z", "-enddate", "20200131000000Z"]
        # Written under another name first: a file that exists is complete.
        unfinished = certificate.with_suffix(".part")
        self._openssl("ca", "-batch", "-notext", "-config", self._config(issuer), *dates,
                      "-cert", self.directory / f"{issuer}.pem",
                      "-keyfile", self.directory / f"{issuer}.key",
                      "-in", request, "-out", unfinished)
        unfinished.rename(certificate)

    def _make_issuer(self, issuer, common_name):
        certificate = self.directory / f"{issuer}.pem"
        if certificate.exists():
            return
        (self.directory / f"{issuer}.index").touch()
        self._openssl("req", "-x509", "-days", "30",
                      *_new_key(self.directory / f"{issuer}.key"), *_subject(common_name),
                      "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", certificate)

    def _config(self, issuer):
        path = self.directory / f"{issuer}.cnf"
        path.write_text(_CA_CONFIG.format(dir=self.directory, issuer=issuer))
        return path

    @staticmethod
    def _openssl(*arguments):
        command = ["openssl", *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise CertificateError("the `openssl` command is missing (package openssl)") from None
        if done.returncode != 0:
            raise CertificateError(f"{' '.join(command)}: {done.stderr.strip()}")


class Contexts:
    """One server-side ssl.SSLContext for each kind of certificate, made when first used.

    All share the protocol versions, the ALPN list and the number of tickets. Ticket keys live in
    the context: a session of one kind cannot be resumed under another.
    """

    def __init__(self, authority, *, tls_min, tls_max, tickets, alpn):
        self.authority = authority
        self.tls_min = tls_min
        self.tls_max = tls_max
        self.tickets = tickets
        self.alpn = alpn
        self._made = {}

    def get(self, kind):
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self.tls_min]
        context.maximum_version = _VERSIONS[self.tls_max]
        context.load_cert_chain(*self.authority.chain(kind))
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # Python's own wish; servers mostly follow the client's
        context.num_tickets = self.tickets
        if not self.tickets:
            context.options |= ssl.OP_NO_TICKET
        if self.alpn:
            context.set_alpn_protocols(self.alpn)
        context.sni_callback = _remember_server_name
        return context


_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def _remember_server_name(tls, name, _context):
    tls.asked_name = name


def _new_key(path):
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)


def _subject(name):
    return ("-subj", f"/CN={name}")


def _alternative_names(names):
    return "subjectAltName=" + ",".join(map(_alternative_name, names))


def _alternative_name(name):
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
