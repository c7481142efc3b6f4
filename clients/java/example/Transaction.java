// SPDX-License-Identifier: Apache-2.0

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.io.InputStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.util.concurrent.TimeUnit;
import org.hyperledger.fabric.gm.SM2Keys;
import org.hyperledger.fabric.gm.SM2Signer;
import org.hyperledger.fabric.protos.common.ChannelHeader;
import org.hyperledger.fabric.protos.common.Envelope;
import org.hyperledger.fabric.protos.common.Header;
import org.hyperledger.fabric.protos.common.HeaderType;
import org.hyperledger.fabric.protos.common.SignatureHeader;
import org.hyperledger.fabric.protos.gateway.CommitStatusRequest;
import org.hyperledger.fabric.protos.gateway.CommitStatusResponse;
import org.hyperledger.fabric.protos.gateway.EndorseRequest;
import org.hyperledger.fabric.protos.gateway.EvaluateRequest;
import org.hyperledger.fabric.protos.gateway.GatewayGrpc;
import org.hyperledger.fabric.protos.gateway.SignedCommitStatusRequest;
import org.hyperledger.fabric.protos.gateway.SubmitRequest;
import org.hyperledger.fabric.protos.msp.SerializedIdentity;
import org.hyperledger.fabric.protos.peer.ChaincodeHeaderExtension;
import org.hyperledger.fabric.protos.peer.ChaincodeID;
import org.hyperledger.fabric.protos.peer.ChaincodeInput;
import org.hyperledger.fabric.protos.peer.ChaincodeInvocationSpec;
import org.hyperledger.fabric.protos.peer.ChaincodeProposalPayload;
import org.hyperledger.fabric.protos.peer.ChaincodeSpec;
import org.hyperledger.fabric.protos.peer.Proposal;
import org.hyperledger.fabric.protos.peer.SignedProposal;

/**
 * Creates an asset and reads it back, with gRPC's own stubs. Applications use the gateway SDK with the same signer. Environment:
 * GATEWAY (HOST:PORT of gmtls proxy --from plain), MSP_ID, CERTIFICATE and PRIVATE_KEY (files), CHANNEL, CHAINCODE.
 */
public final class Transaction {
    private final GatewayGrpc.GatewayBlockingStub gateway;
    private final SM2Signer signer;
    private final ByteString creator;
    private final String channel;
    private final String chaincode;

    private Transaction(final ManagedChannel connection) throws Exception {
        gateway = GatewayGrpc.newBlockingStub(connection);
        try (Reader pem = Files.newBufferedReader(Path.of(env("PRIVATE_KEY")))) {
            PrivateKey key = SM2Keys.readPrivateKey(pem, null);
            signer = new SM2Signer(key);
        }
        try (InputStream pem = Files.newInputStream(Path.of(env("CERTIFICATE")))) {
            creator = SerializedIdentity.newBuilder().setMspid(env("MSP_ID"))
                .setIdBytes(ByteString.copyFrom(SM2Keys.encodeCertificate(SM2Keys.readCertificate(pem)))).build().toByteString();
        }
        channel = env("CHANNEL");
        chaincode = env("CHAINCODE");
    }

    /** The gateway, for one call: the limit counts from here on. */
    private GatewayGrpc.GatewayBlockingStub call() {
        return gateway.withDeadlineAfter(1, TimeUnit.MINUTES);
    }

    private static String env(final String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is not set");
        }
        return value;
    }

    private ByteString sign(final ByteString message) throws Exception {
        return ByteString.copyFrom(signer.sign(message.toByteArray()));
    }

    /** A signed proposal and its transaction id. */
    private static final class Proposed {
        private String txId;
        private SignedProposal proposal;
    }

    private Proposed propose(final String... args) throws Exception {
        byte[] nonce = new byte[24];
        new SecureRandom().nextBytes(nonce);
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        sha.update(nonce);
        Proposed p = new Proposed();
        StringBuilder hex = new StringBuilder();
        for (byte b : sha.digest(creator.toByteArray())) {
            hex.append(String.format("%02x", b));
        }
        p.txId = hex.toString();

        ChaincodeID id = ChaincodeID.newBuilder().setName(chaincode).build();
        long now = System.currentTimeMillis();
        Header header = Header.newBuilder()
            .setChannelHeader(ChannelHeader.newBuilder()
                .setType(HeaderType.ENDORSER_TRANSACTION_VALUE).setChannelId(channel).setTxId(p.txId)
                .setTimestamp(Timestamp.newBuilder().setSeconds(now / 1000).setNanos((int) (now % 1000) * 1_000_000))
                .setExtension(ChaincodeHeaderExtension.newBuilder().setChaincodeId(id).build().toByteString())
                .build().toByteString())
            .setSignatureHeader(SignatureHeader.newBuilder().setCreator(creator).setNonce(ByteString.copyFrom(nonce))
                .build().toByteString())
            .build();
        ChaincodeInput.Builder input = ChaincodeInput.newBuilder();
        for (String arg : args) {
            input.addArgs(ByteString.copyFromUtf8(arg));
        }
        ChaincodeInvocationSpec invocation = ChaincodeInvocationSpec.newBuilder()
            .setChaincodeSpec(ChaincodeSpec.newBuilder().setChaincodeId(id).setInput(input)).build();
        ByteString bytes = Proposal.newBuilder().setHeader(header.toByteString())
            .setPayload(ChaincodeProposalPayload.newBuilder().setInput(invocation.toByteString()).build().toByteString())
            .build().toByteString();
        p.proposal = SignedProposal.newBuilder().setProposalBytes(bytes).setSignature(sign(bytes)).build();
        return p;
    }

    private long submit(final String... args) throws Exception {
        Proposed p = propose(args);
        Envelope prepared = call().endorse(EndorseRequest.newBuilder().setTransactionId(p.txId)
            .setChannelId(channel).setProposedTransaction(p.proposal).build()).getPreparedTransaction();
        SubmitRequest submission = SubmitRequest.newBuilder().setTransactionId(p.txId).setChannelId(channel)
            .setPreparedTransaction(prepared.toBuilder().setSignature(sign(prepared.getPayload()))).build();
        ByteString request = CommitStatusRequest.newBuilder().setTransactionId(p.txId).setChannelId(channel)
            .setIdentity(creator).build().toByteString();
        SignedCommitStatusRequest question = SignedCommitStatusRequest.newBuilder()
            .setRequest(request).setSignature(sign(request)).build();
        CommitStatusResponse status;
        try {
            call().submit(submission);
            status = call().commitStatus(question);
        } catch (StatusRuntimeException e) {
            // Who sends it again without asking for this one may have it committed twice.
            throw new IllegalStateException("it is not known whether transaction " + p.txId + " was committed: " + e.getMessage(), e);
        }
        if (status.getResultValue() != 0) {
            throw new IllegalStateException("transaction " + p.txId + " was committed as " + status.getResult());
        }
        return status.getBlockNumber();
    }

    private String evaluate(final String... args) throws Exception {
        Proposed p = propose(args);
        return call().evaluate(EvaluateRequest.newBuilder().setTransactionId(p.txId).setChannelId(channel)
            .setProposedTransaction(p.proposal).build()).getResult().getPayload().toStringUtf8();
    }

    public static void main(final String[] ignored) throws Exception {
        ManagedChannel connection = NettyChannelBuilder.forTarget(env("GATEWAY")).usePlaintext().build();
        try {
            Transaction t = new Transaction(connection);
            String id = "java-" + System.currentTimeMillis();
            System.out.println("committed " + id + " in block " + t.submit("CreateAsset", id, "blue", "5", "java", "100"));
            System.out.println("read " + t.evaluate("ReadAsset", id));
        } finally {
            connection.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
    }
}
