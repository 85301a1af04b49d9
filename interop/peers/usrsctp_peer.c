/* usrsctp as a peer of SCTP: one association, without sockets, threads or a clock of its own.
 *
 * A request is a letter, the time in microseconds (8 bytes), a length (4) and so many bytes, all numbers in the machine's order; what
 * it brings about is told as letters, lengths and bytes, until a `.`:
 *
 *   L listens          C connects          P takes a packet          T lets time pass          D shuts down
 *   R stream (2)       resets a stream
 *   S stream (2), unordered (2), policy (2), its value (4), bytes: sends a message, or answers F: there is no room
 *
 *   P packet    M stream (2), bytes: a message    X stream (2): the peer has reset it    C connected    E ended */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <usrsctp.h>

#define PORT 5000
#define STREAMS 1024
#define BUFFER (5 * 1024 * 1024)
/* The longest packet is 1160 bytes, of which the library does not count the header. */
#define MTU (1160 - 12)

static struct socket *listening, *association;
static uint64_t now_us, timers_ms;
/* What has come of a message that comes in parts. */
static struct { char *bytes; size_t len; } parts[STREAMS];
static uint8_t resets[STREAMS];

/* Instead of the C library's: time is what we are told. */
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    time->tv_sec = (time_t)(1000000000 + now_us / 1000000);
    time->tv_usec = (suseconds_t)(now_us % 1000000);
    return 0;
}

static void must(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "usrsctp_peer: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void tell(char letter, const void *head, size_t head_len, const void *bytes, size_t bytes_len) {
    uint32_t len = (uint32_t)(head_len + bytes_len);
    fwrite(&letter, 1, 1, stdout);
    fwrite(&len, sizeof len, 1, stdout);
    if (head_len) fwrite(head, 1, head_len, stdout);
    if (bytes_len) fwrite(bytes, 1, bytes_len, stdout);
}

static int send_packet(void *address, void *packet, size_t len, uint8_t tos, uint8_t is_whole) {
    (void)address, (void)tos, (void)is_whole;
    tell('P', NULL, 0, packet, len);
    return 0;
}

static void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

static void forget(uint32_t stream) {
    free(parts[stream].bytes);
    parts[stream].bytes = NULL;
    parts[stream].len = 0;
}

static void handle_notification(const union sctp_notification *it, size_t len) {
    if (it->sn_header.sn_type == SCTP_ASSOC_CHANGE) {
        uint16_t state = it->sn_assoc_change.sac_state;
        int is_over = state == SCTP_COMM_LOST || state == SCTP_SHUTDOWN_COMP || state == SCTP_CANT_STR_ASSOC;
        if (state == SCTP_COMM_UP || is_over) tell(is_over ? 'E' : 'C', NULL, 0, NULL, 0);
    }
    if (it->sn_header.sn_type == SCTP_PARTIAL_DELIVERY_EVENT) {
        forget(it->sn_pdapi_event.pdapi_stream % STREAMS); /* it was given up after its beginning */
    }
    if (it->sn_header.sn_type == SCTP_STREAM_RESET_EVENT) {
        const struct sctp_stream_reset_event *reset = &it->sn_strreset_event;
        int has_failed = reset->strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED);
        if (has_failed || !(reset->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)) return;
        size_t count = (len - offsetof(struct sctp_stream_reset_event, strreset_stream_list)) / sizeof(uint16_t);
        for (size_t i = 0; i < count; i++) tell('X', &reset->strreset_stream_list[i], sizeof(uint16_t), NULL, 0);
    }
}

static void handle_part(uint16_t stream, const char *bytes, size_t len, int is_last) {
    must(stream < STREAMS, "a stream that there is");
    char *all = realloc(parts[stream].bytes, parts[stream].len + len);
    must(all != NULL, "memory");
    memcpy(all + parts[stream].len, bytes, len);
    parts[stream].bytes = all;
    parts[stream].len += len;
    if (is_last) {
        tell('M', &stream, sizeof stream, all, parts[stream].len);
        forget(stream);
    }
}

static void receive(void) {
    static char bytes[1 << 16];
    struct sctp_rcvinfo info = {0};
    socklen_t info_len = sizeof info;
    unsigned kind = 0;
    int flags = 0;
    ssize_t len;
    while ((len = usrsctp_recvv(association, bytes, sizeof bytes, NULL, NULL, &info, &info_len, &kind, &flags)) > 0) {
        if (flags & MSG_NOTIFICATION) {
            handle_notification((union sctp_notification *)bytes, (size_t)len);
        } else {
            must(kind == SCTP_RECVV_RCVINFO, "a message that says its stream");
            handle_part(info.rcv_sid, bytes, (size_t)len, flags & MSG_EOR);
        }
        info_len = sizeof info;
        flags = 0;
    }
}

static void set(struct socket *socket, int level, int option, const void *value, size_t len, const char *what) {
    must(usrsctp_setsockopt(socket, level, option, value, (socklen_t)len) == 0, what);
}

static struct sockaddr_conn address(void) {
    return (struct sockaddr_conn){.sconn_family = AF_CONN, .sconn_port = htons(PORT), .sconn_addr = &now_us};
}

static struct socket *new_socket(void) {
    struct socket *socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    must(socket != NULL, "a socket");
    must(usrsctp_set_non_blocking(socket, 1) == 0, "a socket that does not wait");
    int buffer = BUFFER, on = 1;
    set(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer, "a window");
    set(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer, "a send buffer");
    set(socket, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on, "no delay");
    struct sctp_assoc_value value = {.assoc_id = SCTP_FUTURE_ASSOC, .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
    set(socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &value, sizeof value, "resets");
    set(socket, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on, "where messages belong");
    struct sctp_initmsg init = {STREAMS, STREAMS, .sinit_max_attempts = 100, .sinit_max_init_timeo = 3000};
    set(socket, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init, "streams");
    uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_PARTIAL_DELIVERY_EVENT, SCTP_STREAM_RESET_EVENT};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = events[i], .se_on = 1};
        set(socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event, "an event");
    }
    struct sctp_paddrparams path = {.spp_pathmtu = MTU, .spp_flags = SPP_PMTUD_DISABLE};
    path.spp_address.ss_family = AF_CONN;
    set(socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path, "an MTU");
    struct sockaddr_conn here = address();
    must(usrsctp_bind(socket, (struct sockaddr *)&here, sizeof here) == 0, "bind");
    return socket;
}

static void send_message(const uint8_t *head, size_t len) {
    uint16_t stream, is_unordered, policy;
    uint32_t value;
    memcpy(&stream, head, 2), memcpy(&is_unordered, head + 2, 2), memcpy(&policy, head + 4, 2), memcpy(&value, head + 6, 4);
    struct sctp_sendv_spa how = {.sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID};
    how.sendv_sndinfo.snd_sid = stream;
    how.sendv_sndinfo.snd_ppid = htonl(53);
    how.sendv_sndinfo.snd_flags = SCTP_EOR | (is_unordered ? SCTP_UNORDERED : 0);
    how.sendv_prinfo.pr_policy = policy;
    how.sendv_prinfo.pr_value = value;
    ssize_t sent = usrsctp_sendv(association, head + 10, len - 10, NULL, 0, &how, sizeof how, SCTP_SENDV_SPA, 0);
    must(sent == (ssize_t)(len - 10) || errno == EWOULDBLOCK || errno == ENOBUFS, "sending");
    if (sent < 0) tell('F', NULL, 0, NULL, 0);
}

/* One request at a time may be outstanding, so some have to wait. */
static void reset_streams(void) {
    struct { struct sctp_reset_streams request; uint16_t streams[STREAMS]; } wanted = {0};
    for (uint16_t i = 0; i < STREAMS; i++) {
        if (resets[i]) wanted.request.srs_stream_list[wanted.request.srs_number_streams++] = i;
    }
    wanted.request.srs_flags = SCTP_STREAM_RESET_OUTGOING;
    size_t len = sizeof wanted.request + wanted.request.srs_number_streams * sizeof(uint16_t);
    if (!wanted.request.srs_number_streams) return;
    if (usrsctp_setsockopt(association, IPPROTO_SCTP, SCTP_RESET_STREAMS, &wanted, (socklen_t)len) == 0) {
        memset(resets, 0, sizeof resets);
    } else {
        must(errno == EALREADY || errno == EAGAIN || errno == EBUSY, "resetting");
    }
}

static void do_as_told(char letter, const uint8_t *bytes, size_t len) {
    struct sockaddr_conn there = address();
    switch (letter) {
    case 'L':
        listening = new_socket();
        must(usrsctp_listen(listening, 1) == 0, "listen");
        break;
    case 'C':
        if (listening) usrsctp_close(listening);
        listening = NULL;
        association = new_socket();
        must(usrsctp_connect(association, (struct sockaddr *)&there, sizeof there) == 0 || errno == EINPROGRESS, "connect");
        break;
    case 'P': usrsctp_conninput(&now_us, bytes, len, 0); break;
    case 'R': {
        uint16_t stream;
        memcpy(&stream, bytes, sizeof stream);
        must(stream < STREAMS, "a stream that there is");
        resets[stream] = 1;
        break;
    }
    case 'S': send_message(bytes, len); break;
    case 'D': must(usrsctp_shutdown(association, SHUT_WR) == 0, "shutdown"); break;
    default: break;
    }
    if (listening && !association) association = usrsctp_accept(listening, NULL, NULL);
    if (association) receive();
    if (association) reset_streams();
}

int main(void) {
    static uint8_t bytes[1 << 20];
    usrsctp_init_nothreads(0, send_packet, complain);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(&now_us);
    char letter;
    uint32_t len;
    while (fread(&letter, 1, 1, stdin) == 1 && fread(&now_us, sizeof now_us, 1, stdin) == 1 &&
           fread(&len, sizeof len, 1, stdin) == 1 && len <= sizeof bytes && fread(bytes, 1, len, stdin) == len) {
        if (now_us / 1000 > timers_ms) usrsctp_handle_timers((uint32_t)(now_us / 1000 - timers_ms));
        timers_ms = now_us / 1000;
        do_as_told(letter, bytes, len);
        tell('.', NULL, 0, NULL, 0);
        fflush(stdout);
    }
    return 0;
}
