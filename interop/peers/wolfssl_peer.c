/* wolfSSL as a peer of DTLS 1.3: a server or client on 127.0.0.1 that prints what comes, and sends the lines it is told.
 *
 *   wolfssl_peer server|client PORT PEM GROUP PROFILE EXPORTED_LEN [cookie]
 *
 * GROUP is its number in IANA's registry: a client offers it alone, a server takes it alone. Prints READY, CONNECTED with
 * what was negotiated, KEYS with what is exported for SRTP, and CLOSED. `Q`, or no more lines, has it end the connection. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define MTU 1200
#define LABEL "EXTRACTOR-dtls_srtp"

static void must(int holds, const char *what) {
    if (!holds) {
        printf("FAILED: %s\n", what);
        exit(1);
    }
}

/* Certificates sign themselves here: whose they are, the other end knows by their fingerprints. */
static int believe(int is_good, WOLFSSL_X509_STORE_CTX *store) {
    (void)is_good;
    (void)store;
    return 1;
}

static int open_socket(int is_server, unsigned short port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (is_server) {
        struct sockaddr_in client;
        socklen_t len = sizeof client;
        char byte;
        must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
        printf("READY\n");
        must(recvfrom(fd, &byte, 1, MSG_PEEK, (struct sockaddr *)&client, &len) >= 0, "the first datagram");
        address = client;
    }
    must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "a socket that does not wait");
    return fd;
}

/* Waits for datagrams, or lines if those are wanted; lets wolfSSL send again when it is time. */
static int wait_for(WOLFSSL *ssl, int fd, int wants_lines) {
    struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    int timeout = wolfSSL_dtls_get_current_timeout(ssl) * 1000;
    if (wolfSSL_dtls13_use_quick_timeout(ssl)) timeout /= 4;
    int ready = poll(polled, wants_lines ? 2 : 1, timeout);
    if (ready == 0 && (!wants_lines || wolfSSL_dtls13_use_quick_timeout(ssl))) {
        must(wolfSSL_dtls_got_timeout(ssl) == WOLFSSL_SUCCESS, "sending again");
    }
    return wants_lines && (polled[1].revents & (POLLIN | POLLHUP));
}

static int is_waiting(WOLFSSL *ssl, int result) {
    int error = wolfSSL_get_error(ssl, result);
    return error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE;
}

static void tell_keys(WOLFSSL *ssl, size_t len) {
    unsigned char keys[128];
    must(len <= sizeof keys, "so many keys");
    int done = wolfSSL_export_keying_material(ssl, keys, len, LABEL, strlen(LABEL), NULL, 0, 0);
    must(done == WOLFSSL_SUCCESS, "the exporter");
    printf("KEYS ");
    for (size_t i = 0; i < len; i++) printf("%02x", keys[i]);
    printf("\n");
}

/* Until either end has said goodbye. */
static void talk(WOLFSSL *ssl, int fd) {
    char line[1024];
    for (;;) {
        int is_told = wait_for(ssl, fd, 1);
        if (is_told && (!fgets(line, sizeof line, stdin) || line[0] == 'Q')) break;
        if (is_told) wolfSSL_write(ssl, line, (int)strlen(line));
        int len;
        while ((len = wolfSSL_read(ssl, line, sizeof line)) > 0) fwrite(line, 1, (size_t)len, stdout);
        if (!is_waiting(ssl, len)) break;
    }
    if (wolfSSL_get_shutdown(ssl) & WOLFSSL_RECEIVED_SHUTDOWN) printf("CLOSED\n");
    wolfSSL_shutdown(ssl);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    must(argc >= 7, "arguments");
    int is_server = strcmp(argv[1], "server") == 0, group = atoi(argv[4]);
    wolfSSL_Init();
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(is_server ? wolfDTLSv1_3_server_method() : wolfDTLSv1_3_client_method());
    must(wolfSSL_CTX_use_certificate_file(ctx, argv[3], WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS, "the certificate");
    must(wolfSSL_CTX_use_PrivateKey_file(ctx, argv[3], WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS, "its key");
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, believe);
    must(wolfSSL_CTX_set_tlsext_use_srtp(ctx, argv[5]) == 0, "the profile");

    int fd = open_socket(is_server, (unsigned short)atoi(argv[2]));
    WOLFSSL *ssl = wolfSSL_new(ctx);
    must(wolfSSL_dtls_set_mtu(ssl, MTU) == WOLFSSL_SUCCESS, "the MTU");
    must(wolfSSL_set_groups(ssl, &group, 1) == WOLFSSL_SUCCESS, "the group");
    if (is_server) {
        must(wolfSSL_dtls13_allow_ch_frag(ssl, 1) == WOLFSSL_SUCCESS, "fragments");
        int is_asking = argc > 7 ? wolfSSL_send_hrr_cookie(ssl, NULL, 0) : wolfSSL_disable_hrr_cookie(ssl);
        must(is_asking == WOLFSSL_SUCCESS, "the cookie");
    } else {
        must(wolfSSL_UseKeyShare(ssl, (word16)group) == WOLFSSL_SUCCESS, "the share");
    }
    wolfSSL_KeepArrays(ssl); /* or there is no exporter */
    wolfSSL_set_fd(ssl, fd);
    wolfSSL_dtls_set_using_nonblock(ssl, 1);

    int result;
    while ((result = is_server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl)) != WOLFSSL_SUCCESS) {
        if (!is_waiting(ssl, result)) {
            printf("FAILED: handshake: %d\n", wolfSSL_get_error(ssl, result));
            return 1;
        }
        wait_for(ssl, fd, 0);
    }
    const WOLFSSL_SRTP_PROTECTION_PROFILE *profile = wolfSSL_get_selected_srtp_profile(ssl);
    tell_keys(ssl, (size_t)atoi(argv[6]));
    printf("CONNECTED %s %s %s %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher(ssl), wolfSSL_get_curve_name(ssl),
           profile ? profile->name : "-");
    talk(ssl, fd);
    return 0;
}
